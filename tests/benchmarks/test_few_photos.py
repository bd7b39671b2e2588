from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.few_photos import FIGURES, TEST_PHOTOS, draw, make_photos, read_figures


def test_as_many_photos_of_each_class_as_asked_for(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    make_photos(photos, 2)
    classes = sorted(photos.glob("train/*"))
    assert len(classes) == 10
    for folder in classes:
        assert len(list(folder.iterdir())) == 2
        assert len(list((photos / "test" / folder.name).iterdir())) == TEST_PHOTOS
    with Image.open(next(classes[0].iterdir())) as photo:
        assert all(300 <= side <= 420 for side in photo.size)


def test_more_photos_than_the_sample_has_are_refused(tmp_path: Path) -> None:
    said = "The sample has 100 images of a class in its split test; 101 are asked for"
    with pytest.raises(SystemExit, match=said):
        make_photos(tmp_path / "photos", 2, 101)
    assert not (tmp_path / "photos").exists()


def test_the_plot_names_each_recipe_with_its_last_accuracy(tmp_path: Path) -> None:
    one = {"recipe": "transfer", "photos": 30, "accuracy": 0.1, "test_photos": TEST_PHOTOS, "settings": []}
    others = (
        {"photos": 5, "accuracy": 0.5},
        {"accuracy": 0.805},
        {"accuracy": 0.2, "test_photos": 20},
        {"accuracy": 0.3, "settings": ["train.random_seed=1"]},
    )
    (tmp_path / FIGURES).write_text("\n".join(json.dumps(one | other) for other in ({}, *others)))
    figures = read_figures(tmp_path / FIGURES, TEST_PHOTOS, [])
    assert figures == {"transfer": {5: 0.5, 30: 0.805}}
    draw(figures, tmp_path / "photos.svg")
    assert "transfer 80.5%" in (tmp_path / "photos.svg").read_text()
