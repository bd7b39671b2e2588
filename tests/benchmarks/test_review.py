from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.review import Photo, write

NAMES = ("bird", "cat", "dog")


def photos() -> list[Photo]:
    pixels = np.zeros((4, 4, 3), np.uint8)
    return [Photo(split, name, number, pixels) for split in ("train", "test") for name in NAMES for number in range(20)]


def test_a_tenth_of_the_labels_to_train_on_is_wrong_and_each_file_tells_the_truth(tmp_path: Path) -> None:
    assert write(photos(), tmp_path, 0.1) == 6
    files = list(tmp_path.rglob("*.png"))
    assert len(files) == 120
    wrong = [path for path in files if path.parent.name != path.name.partition("-")[0]]
    assert len(wrong) == 6
    assert {path.parents[1].name for path in wrong} == {"train"}


def test_no_label_is_wrong_if_none_is_asked_for(tmp_path: Path) -> None:
    assert write(photos(), tmp_path, 0) == 0
    assert all(path.parent.name == path.name.partition("-")[0] for path in tmp_path.rglob("*.png"))
