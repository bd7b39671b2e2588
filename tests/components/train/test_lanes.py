from __future__ import annotations

import numpy as np
import pytest

from components.dataset_reader import Span
from components.train.devices import Share
from components.train.lanes import Stretch, lane_count, order_of_lanes, own_lanes, stretches

# Two stored splits, and the middle of a file.
FILES = [Span("train", 0, 10), Span("train", 10, 17), Span("test", 3, 8), Span("test", 8, 20)]
COUNT = 34


@pytest.mark.parametrize(
    ("batch_size", "files", "lanes"),
    [(1024, 500, 8), (24, 8, 8), (24, 7, 4), (500, 100, 4), (50, 100, 2), (25, 100, 1), (64, 1, 1), (4, 100, 4)],
)
def test_the_number_of_lanes_divides_the_batch(batch_size: int, files: int, lanes: int) -> None:
    assert lane_count(batch_size, files) == lanes


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6, 8, 12, 16])
@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_the_lanes_of_a_worker_hold_its_share_of_each_batch(workers: int, lanes: int) -> None:
    batch = np.arange(48)
    for index in range(workers):
        share = Share(index, workers)
        own = own_lanes(share, lanes)
        held = batch[np.isin(batch % lanes, own.numbers)]
        assert own.share.of(held)[0].tolist() == share.of(batch)[0].tolist()
        assert len(own.numbers) == lanes // np.gcd(workers, lanes)


def test_workers_that_divide_the_lanes_read_lanes_of_their_own() -> None:
    lanes = [own_lanes(Share(index, 4), 8).numbers for index in range(4)]
    assert sorted(lane for own in lanes for lane in own) == list(range(8))


def test_lanes_hold_each_image_once_file_by_file() -> None:
    order = order_of_lanes(FILES, 8, 4, np.random.default_rng(1))
    assert order.shape == (4, 8)
    flat = order.ravel()
    assert len(set(flat.tolist())) == 32
    left_out = set(range(COUNT)) - set(flat.tolist())
    assert len(left_out) == 2
    found = [stretch for lane in order for stretch in stretches(lane, FILES)]
    assert all(any(file.overlaps(stretch.span) for file in FILES) for stretch in found)
    assert [index for stretch in found for index in range(stretch.start, stretch.stop)] == flat.tolist()


def test_the_order_of_files_is_drawn() -> None:
    def first(seed: int) -> int:
        return int(order_of_lanes(FILES, 2, 1, np.random.default_rng(seed))[0, 0])

    assert {first(seed) for seed in range(30)} == {0, 10, 17, 22}
    assert first(5) == first(5)


def test_second_turns_come_after_the_first_ones() -> None:
    left_out = np.arange(COUNT) % 3 == 0
    order = order_of_lanes(FILES, 2, 2, np.random.default_rng(0), left_out)
    turns = np.bincount(order.ravel(), minlength=COUNT)
    assert set(turns[left_out]) == {0}
    assert set(turns[~left_out]) == {1, 2}
    kept = [stretch for lane in order for stretch in stretches(lane, FILES)]
    read = [index for stretch in kept for index in range(stretch.start, stretch.stop) if not left_out[index]]
    assert read == order.ravel().tolist()


def test_stretches_are_spans_of_the_stored_splits() -> None:
    assert stretches(np.array([12, 13, 14, 17, 18, 19, 22]), FILES) == [
        Stretch(Span("train", 12, 15), 12),
        Stretch(Span("test", 3, 6), 17),
        Stretch(Span("test", 8, 9), 22),
    ]
    again = stretches(np.array([8, 9, 8, 9]), FILES)
    assert again == [Stretch(Span("train", 8, 10), 8)] * 2
    assert stretches(np.array([], np.int64), FILES) == []
