from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.chosen_images import chosen_slice, read_images
from components.dataset_reader import read


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Ten images in two stored files, each with the name of the photo that it was made of."""
    folder = tmp_path_factory.mktemp("named")
    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["a"]),
        "file": tfds.features.Text(),
    }
    images = [
        (index, {"image": np.full((4 + index, 6, 3), index, np.uint8), "label": 0, "file": f"a/é {index}.png"})
        for index in range(10)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="named",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": images},
        data_dir=folder,
        disable_shuffling=True,
    )
    return Examples(
        folder=folder,
        dataset="named/1.0.0",
        content="",
        directory=folder / "named" / "1.0.0",
        splits={"train": "train[:6]", "test": "train[6:]"},
        example_counts={"train": 6, "test": 4},
        class_names=("a",),
        image_shape=(None, None, 3),
    )


def test_each_image_comes_once_in_the_order_of_the_split_as_it_is_stored(tiny: Examples) -> None:
    stored = [image for image, _ in read(tiny, tiny.splits["test"]).as_numpy_iterator()]
    images = list(read_images(tiny, "test", [47, 3, 3, 20]))
    assert [(image.index, image.file) for image in images] == [(3, ""), (20, ""), (47, "")]
    assert all(np.array_equal(image.pixels, stored[image.index]) for image in images)


def test_images_made_of_files_come_with_their_names_and_sizes(named: Examples) -> None:
    images = list(read_images(named, "test", [3, 0]))
    assert [(image.file, image.pixels.shape) for image in images] == [
        ("a/é 6.png", (10, 6, 3)),
        ("a/é 9.png", (13, 6, 3)),
    ]


def test_no_index_opens_no_dataset(tiny: Examples) -> None:
    gone = tiny.model_copy(update={"directory": Path("gone")})
    assert list(read_images(gone, "test", [])) == []


def test_a_slice_leaves_out_what_lies_around_the_chosen_images(tiny: Examples) -> None:
    parts = tiny.model_copy(update={"splits": {"test": "train[100:110]+test[:5]+train[:9]"}})
    slice_, chosen = chosen_slice(parts, "test", np.array([2, 4, 16]))
    assert slice_ == "train[102:105]+train[1:2]"
    assert chosen.tolist() == [True, False, True, True]
