from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.train.data import Batches, CachedBatches, StreamedBatches, batches, epoch_seed
from components.train.devices import Share
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


def test_the_shares_of_all_workers_are_the_batches(split: Batches) -> None:
    whole = list(split.epoch(0, 25, seed=0).as_numpy_iterator())

    shares = [list(split.epoch(0, 25, 0, share=Share(index, 3)).as_numpy_iterator()) for index in range(3)]

    assert [len(shares[index][0][2]) for index in range(3)] == [9, 8, 8]
    for number, batch in enumerate(whole):
        for index, share in enumerate(shares):
            for own, all_ in zip(share[number], batch, strict=True):
                np.testing.assert_array_equal(own, all_[index::3])


def test_an_epoch_can_be_begun_at_any_batch(split: Batches) -> None:
    whole = list(split.epoch(1, 25, seed=0).as_numpy_iterator())

    rest = list(split.epoch(1, 25, seed=0, first_batch=2).as_numpy_iterator())

    assert len(rest) == len(whole) - 2 == 1
    for own, expected in zip(rest[0], whole[2], strict=True):
        np.testing.assert_array_equal(own, expected)


def test_what_is_left_out_is_replaced_by_second_turns_of_the_rest(split: Batches, in_two_files: Examples) -> None:
    left_out = np.arange(96) % 3 == 0
    stored_images, _ = images_and_labels(in_two_files, "train")

    whole = list(split.epoch(1, 24, 0, left_out=left_out).as_numpy_iterator())
    rest = list(split.epoch(1, 24, 0, first_batch=3, left_out=left_out).as_numpy_iterator())

    images, _, indices = (np.concatenate(parts) for parts in zip(*whole, strict=True))
    turns = np.bincount(indices, minlength=96)
    assert set(turns[left_out]) == {0}
    assert set(turns[~left_out]) == {1, 2}
    assert turns.sum() == 96
    np.testing.assert_array_equal(images, stored_images[indices])
    np.testing.assert_array_equal(rest[0][2], whole[3][2])


@pytest.mark.parametrize("random_crop_area_fraction", [None, (0.1, 1.0)], ids=["whole", "windows"])
def test_images_of_other_workers_and_of_batches_that_are_skipped_are_not_decoded(
    tmp_path: Path, random_crop_area_fraction: tuple[float, float] | None
) -> None:
    """They are damaged here: decoding any of them would fail."""

    def streamed(folder: Path, damaged: set[int]) -> StreamedBatches:
        return StreamedBatches(30, _photos(folder, damaged), "train", 8, 8, 20, random_crop_area_fraction)

    sound = streamed(tmp_path / "sound", set())
    used = {int(i) for _, _, own in sound.epoch(0, 8, 0, first_batch=1, share=Share(1, 2)) for i in own}
    assert len(used) == 8

    partly = streamed(tmp_path / "partly", set(range(30)) - used)

    assert len(list(partly.epoch(0, 8, 0, first_batch=1, share=Share(1, 2)))) == 2
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(partly.epoch(0, 8, 0, first_batch=1, share=Share(0, 2)))


def _photos(folder: Path, damaged: set[int]) -> Examples:
    """30 JPEG files of 16x16 pixels; of the damaged ones only the first bytes."""
    import tensorflow_datasets as tfds

    def files() -> Iterator[tuple[int, dict[str, object]]]:
        for number in range(30):
            data = tf.io.encode_jpeg(np.full((16, 16, 3), 8 * number, np.uint8)).numpy()
            yield number, {"image": io.BytesIO(data[:8] if number in damaged else data), "label": number % 2}

    folder.mkdir()
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="photos",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(16, 16, 3)), "label": tfds.features.ClassLabel(num_classes=2)}
        ),
        split_datasets={"train": files()},
        data_dir=folder,
        disable_shuffling=True,
    )
    return Examples(
        folder=folder,
        dataset="photos/1.0.0",
        content="",
        directory=Path(builder.data_dir),
        splits={"train": "train"},
        example_counts={"train": 30},
        class_names=("even", "odd"),
        image_shape=(16, 16, 3),
    )


def test_the_order_depends_on_seed_and_epoch_alone(split: Batches) -> None:
    tf.random.set_seed(1)
    first = _epoch(split, 0, 1)[2]
    tf.random.set_seed(2)
    again, next_epoch, other_seed = (_epoch(split, *which)[2] for which in ((0, 1), (1, 1), (0, 2)))

    np.testing.assert_array_equal(first, again)
    assert (first != next_epoch).any()
    assert (first != other_seed).any()


def test_seeds_and_epochs_of_the_same_sum_give_other_orders(split: Batches) -> None:
    orders = [[i for _, _, indices in split.epoch(1 - seed, 24, seed) for i in indices.numpy()] for seed in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    seeds = {epoch_seed(seed, epoch) for seed in range(20) for epoch in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)


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
        streamed = batches(sample, "train", 32, 32, max_cache_megabytes=14)

    assert isinstance(streamed, StreamedBatches)
    assert streamed.buffered_images == 14_000_000 // 3072
    assert "train: 4800 images are streamed, with a buffer of 14 MB" in caplog.text
    assert isinstance(batches(sample, "train", 32, 32, max_cache_megabytes=15), CachedBatches)


def test_images_are_resized_to_the_size_asked_for(tiny: Examples) -> None:
    images, _ = next(iter(batches(tiny, "validation", 20, 28, BUFFER_MEGABYTES).in_order()))

    assert images.shape == (24, 20, 28, 3)


def test_windows_are_others_in_each_epoch_and_the_same_when_asked_again(sample: Examples) -> None:
    windows = batches(sample, "train", 16, 16, 1000, random_crop_area_fraction=(0.1, 1.0))

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
