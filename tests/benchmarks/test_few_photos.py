from __future__ import annotations

from pathlib import Path

from PIL import Image

from benchmarks.few_photos import FIGURES, TEST_PHOTOS, draw, make_photos, read_figures


def test_as_many_photos_of_each_class_as_asked_for(tmp_path: Path) -> None:
    make_photos(tmp_path, 2)
    classes = sorted(tmp_path.glob("train/*"))
    assert len(classes) == 10
    for folder in classes:
        assert len(list(folder.iterdir())) == 2
        assert len(list((tmp_path / "test" / folder.name).iterdir())) == TEST_PHOTOS
    with Image.open(next(classes[0].iterdir())) as photo:
        assert all(300 <= side <= 420 for side in photo.size)


def test_the_plot_names_each_recipe_with_its_last_accuracy(tmp_path: Path) -> None:
    lines = (
        '{"recipe": "transfer", "photos": 5, "accuracy": 0.5, "seconds": 9}',
        '{"recipe": "transfer", "photos": 30, "accuracy": 0.1, "seconds": 9}',
        '{"recipe": "transfer", "photos": 30, "accuracy": 0.805, "seconds": 9}',
    )
    (tmp_path / FIGURES).write_text("\n".join(lines))
    figures = read_figures(tmp_path / FIGURES)
    assert figures == {"transfer": {5: 0.5, 30: 0.805}}
    draw(figures, tmp_path / "photos.svg")
    assert "transfer 80.5%" in (tmp_path / "photos.svg").read_text()
