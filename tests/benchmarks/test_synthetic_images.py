from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from benchmarks.synthetic_images import SyntheticImages, split_images, write_folder, write_prepared


def test_no_two_images_are_alike() -> None:
    images = SyntheticImages(200)
    decoded = {np.asarray(Image.open(io.BytesIO(images.jpeg(7, index)))).tobytes() for index in range(200)}
    assert len(decoded) == 200
    with pytest.raises(ValueError, match="a class can have 3200 images, not 3201"):
        images.jpeg(7, 3200)


def test_folder_and_dataset_hold_the_same_images(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", SyntheticImages(3), 40)
    directory = write_prepared(tmp_path / "prepared", SyntheticImages(3), 40)
    builder = tfds.builder_from_directory(directory)
    stored = {
        split: [example["image"] for example in builder.as_dataset(split=split, decoders={"image": _as_it_is()})]
        for split in ("train", "test")
    }
    assert {split: len(images) for split, images in stored.items()} == {"train": 36, "test": 4}
    in_folder = {path.read_bytes() for path in folder.rglob("*.jpg")}
    assert in_folder == {image.numpy() for images in stored.values() for image in images}
    assert len(in_folder) == 40


def test_every_split_has_its_share_of_every_class() -> None:
    rows = list(split_images(SyntheticImages(10), 1000))
    assert [label for split, label, _ in rows if split == "test"] == list(range(10)) * 10
    assert len({(label, index) for _, label, index in rows}) == 1000


def _as_it_is() -> tfds.decode.Decoder:
    return tfds.decode.SkipDecoding()
