from __future__ import annotations

import logging

import numpy as np
import pytest

from components.artifacts import Examples
from components.train.data import Batches, CachedBatches, StreamedBatches, batches
from tests.components.train.helpers import images_and_labels

BUFFER_MEGABYTES = 1  # 325 images of 32x32


@pytest.fixture
def in_two_files(tiny: Examples) -> Examples:
    splits = {**tiny.splits, "train": "train[:48]+test"}
    return tiny.model_copy(update={"splits": splits})


@pytest.fixture(params=["cached", "streamed"])
def split(request: pytest.FixtureRequest, in_two_files: Examples) -> Batches:
    if request.param == "cached":
        return batches(in_two_files, "train", 32, 32, BUFFER_MEGABYTES)
    return StreamedBatches(96, in_two_files, "train", 32, 32, buffered_images=20)


def _epoch(split: Batches, epoch: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, labels, indices = zip(*split.epoch(epoch, 40, seed).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels), np.concatenate(indices)


def test_an_epoch_is_made_of_whole_batches_of_different_images(split: Batches, in_two_files: Examples) -> None:
    stored_images, stored_labels = images_and_labels(in_two_files, "train")

    images, labels, indices = _epoch(split, 0)

    assert len(indices) == len(set(indices)) == 80
    np.testing.assert_array_equal(images, stored_images[indices])
    np.testing.assert_array_equal(labels, stored_labels[indices])


def test_the_order_depends_on_seed_and_epoch_alone(split: Batches) -> None:
    first, again, next_epoch, other_seed = (_epoch(split, *which)[2] for which in ((0, 1), (0, 1), (1, 1), (0, 2)))

    np.testing.assert_array_equal(first, again)
    assert (first != next_epoch).any()
    assert (first != other_seed).any()


def test_streamed_files_take_turns_in_coming_first(in_two_files: Examples) -> None:
    streamed = StreamedBatches(96, in_two_files, "train", 32, 32, buffered_images=1)

    first_indices = {int(_epoch(streamed, epoch)[2][0]) for epoch in range(8)}

    assert first_indices == {0, 48}


def test_in_order_is_as_stored_to_the_last_image(split: Batches, in_two_files: Examples) -> None:
    images, labels = zip(*split.in_order().as_numpy_iterator(), strict=True)

    stored_images, stored_labels = images_and_labels(in_two_files, "train")
    np.testing.assert_array_equal(np.concatenate(images), stored_images)
    np.testing.assert_array_equal(np.concatenate(labels), stored_labels)


def test_what_does_not_fit_is_streamed(sample: Examples, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        streamed = batches(sample, "train", 32, 32, memory_limit_megabytes=14)

    assert isinstance(streamed, StreamedBatches)
    assert streamed.buffered_images == 14_000_000 // 3072
    assert "train: 4800 images are streamed, with a buffer of 14 MB" in caplog.text
    assert isinstance(batches(sample, "train", 32, 32, memory_limit_megabytes=15), CachedBatches)


def test_images_are_resized_to_the_size_asked_for(tiny: Examples) -> None:
    images, _ = next(iter(batches(tiny, "validation", 20, 28, BUFFER_MEGABYTES).in_order()))

    assert images.shape == (24, 20, 28, 3)


def test_windows_are_others_in_each_epoch_and_the_same_when_asked_again(sample: Examples) -> None:
    windows = batches(sample, "train", 16, 16, 1000, window_area_fraction=(0.1, 1.0))

    def first(epoch: int) -> tuple[np.ndarray, np.ndarray]:
        images, _, indices = next(iter(windows.epoch(epoch, 2400, seed=5)))
        order = np.argsort(indices.numpy())
        return images.numpy()[order], indices.numpy()[order]

    once, again, later = first(0), first(0), first(1)
    assert once[0].shape == (2400, 16, 16, 3)
    assert (once[0] == again[0]).all()
    assert (once[1] == again[1]).all()
    shared, in_once, in_later = np.intersect1d(once[1], later[1], return_indices=True)
    assert len(shared) > 500
    assert (once[0][in_once] != later[0][in_later]).any(axis=(1, 2, 3)).mean() > 0.9
