from __future__ import annotations

from pathlib import Path

from PIL import Image

from benchmarks.few_photos import TEST_PHOTOS, make_photos


def test_as_many_photos_of_each_class_as_asked_for(tmp_path: Path) -> None:
    make_photos(tmp_path, 2)
    classes = sorted(tmp_path.glob("train/*"))
    assert len(classes) == 10
    for folder in classes:
        assert len(list(folder.iterdir())) == 2
        assert len(list((tmp_path / "test" / folder.name).iterdir())) == TEST_PHOTOS
    with Image.open(next(classes[0].iterdir())) as photo:
        assert all(300 <= side <= 420 for side in photo.size)
