"""Epochs of images in many files: on this disk, and in object storage with a bound on what is on this disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from components.component import ComponentError
from components.object_storage import RemoteFolder
from components.train.data import StreamedBatches, batches
from components.train.devices import WHOLE, Share
from tests.components.many_files import file_sizes, in_bucket, many_files, recorded, watched

FAIL_EVERY = 37
COUNT, FILES, BATCH = 960, 48, 64


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return many_files(tmp_path_factory.mktemp("many"), COUNT, FILES, validation=40)


def streamed(examples: Examples, buffered_images: int = 96) -> StreamedBatches:
    return StreamedBatches(COUNT, examples, "train", 16, 16, buffered_images)


Epoch = list[tuple[np.ndarray, ...]]


def epoch(examples: Examples, first_batch: int = 0, share: Share = WHOLE, number: int = 3) -> Epoch:
    return list(streamed(examples).epoch(number, BATCH, 7, first_batch, share).as_numpy_iterator())


def assert_same(found: Epoch, expected: Epoch) -> None:
    assert len(found) == len(expected) > 0
    for batch, expected_batch in zip(found, expected, strict=True):
        for tensor, expected_tensor in zip(batch, expected_batch, strict=True):
            np.testing.assert_array_equal(tensor, expected_tensor)


def test_an_epoch_from_storage_is_that_from_this_disk_within_the_bound(
    many: Examples, url: str, tmp_path: Path
) -> None:
    sizes = file_sizes(many)
    bound = max(8 * max(sizes.values()), sum(sizes.values()) // 6)
    distant = in_bucket(many, url, tmp_path, bound)
    with watched(tmp_path / "files") as watch:
        found = epoch(distant)
    assert_same(found, epoch(many))
    assert len(found) == COUNT // BATCH
    assert watch.peak_bytes <= bound
    assert set(recorded(distant).names) == {name for name in sizes if "train" in name}
    assert len(recorded(distant).names) <= FILES + 8 + 2  # a file at a cut is in two lanes


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_workers_read_files_of_their_own_and_together_the_same_batches(
    many: Examples, url: str, tmp_path: Path, workers: int
) -> None:
    whole = epoch(many)
    asked: list[set[str]] = []
    for index in range(workers):
        distant = in_bucket(many, url, tmp_path / str(index), 10**9)
        share = Share(index, workers)
        own = epoch(distant, share=share)
        assert_same(own, [tuple(share.of(*batch)) for batch in whole])
        asked.append(set(recorded(distant).names))
    assert len(set.union(*asked)) == sum("train" in name for name in file_sizes(many))
    assert sum(map(len, asked)) <= len(set.union(*asked)) + 7  # those that a cut goes through


def test_workers_that_cannot_share_the_lanes_read_all_and_are_told(
    many: Examples, caplog: pytest.LogCaptureFixture
) -> None:
    whole = epoch(many)
    for index in range(3):
        share = Share(index, 3)
        assert_same(epoch(many, share=share), [tuple(share.of(*batch)) for batch in whole])
    streamed(many).require_disk(BATCH, Share(0, 3))
    assert "3 workers cannot share 8 lanes of files: each file is read by 3 of them" in caplog.text


@pytest.mark.parametrize("first_batch", [1, 7, 14, 15])
def test_an_epoch_goes_on_without_the_files_that_it_is_done_with(
    many: Examples, url: str, tmp_path: Path, first_batch: int
) -> None:
    distant = in_bucket(many, url, tmp_path, 10**9)
    rest = epoch(distant, first_batch)
    assert [batch[2].tolist() for batch in rest] == [batch[2].tolist() for batch in epoch(many)[first_batch:]]
    left = (COUNT - first_batch * BATCH) / COUNT
    assert len(recorded(distant).names) <= left * FILES + 3 * 8  # of each lane: one at each end, and the block's


def test_a_file_that_has_changed_is_refused(many: Examples, url: str, tmp_path: Path) -> None:
    distant = in_bucket(many, url, tmp_path, 10**9)
    (name,) = [name for name in file_sizes(many) if name.endswith("00005")][:1]
    RemoteFolder(url).write(name, b"other")
    with pytest.raises(Exception, match="has changed since it was listed"):
        epoch(distant)
    assert recorded(distant).failures


def test_a_bound_that_is_too_small_is_refused_with_what_is_needed(many: Examples, url: str, tmp_path: Path) -> None:
    distant = in_bucket(many, url, tmp_path, 50_000)
    assert 50_000 < 8 * recorded(distant).largest_bytes < 1_000_000
    with pytest.raises(
        ComponentError, match=r"train.max_disk_megabytes leaves 0.05 MB for files .* 8 of up to .* at least 2,"
    ):
        streamed(distant).require_disk(BATCH, Share(0, 1))
    streamed(distant).require_disk(BATCH, Share(0, 8))


def test_what_fits_into_memory_is_fetched_once(many: Examples, url: str, tmp_path: Path) -> None:
    bound = 3 * max(file_sizes(many).values())
    distant = in_bucket(many, url, tmp_path, bound)
    with watched(tmp_path / "files") as watch:
        found = batches(distant, "train", 16, 16, 100)
    assert watch.peak_bytes <= bound
    assert sorted(recorded(distant).names) == sorted(name for name in file_sizes(many) if "train" in name)
    for epochs in range(2):
        assert_same(
            list(found.epoch(epochs, BATCH, 0).as_numpy_iterator()),
            list(batches(many, "train", 16, 16, 100).epoch(epochs, BATCH, 0).as_numpy_iterator()),
        )


def test_blocks_shuffle_what_the_buffer_holds(many: Examples) -> None:
    """Of a lane, every third of its part of the buffer is put into another order."""

    def first(buffered: int) -> np.ndarray:
        return next(iter(streamed(many, buffered).epoch(0, BATCH, 0)))[2].numpy()[::8]

    assert (np.diff(first(1)) == 1).all()
    one, other = first(3 * 8 * 4), first(3 * 8 * 120)
    assert one.tolist() != sorted(one)
    assert one.max() - one.min() == 7
    assert len(set((other // 20).tolist())) > 2
