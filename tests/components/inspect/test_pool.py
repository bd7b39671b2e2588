from __future__ import annotations

import numpy as np
import pytest

from components.inspect.pool import BLOCK_IMAGES, Pool
from tests.components.inspect.vectors_of import drawn

SPLITS = [drawn("train", [0, 1, 2]), drawn("validation", []), drawn("test", [2, 1], seed=1)]


def test_images_are_numbered_through_all_splits() -> None:
    pool = Pool(SPLITS)
    assert len(pool) == 5
    assert pool.labels.tolist() == [0, 1, 2, 2, 1]
    for number, (split, index) in enumerate([(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)]):
        assert pool.reference(number) == SPLITS[split].reference(index)
        assert pool.number(SPLITS[split].split, index) == number


@pytest.mark.parametrize("numbers", [[], [0], [4], [1, 3], [0, 1, 2, 3, 4]], ids=str)
def test_features_are_the_mean_of_the_views(numbers: list[int]) -> None:
    expected = np.concatenate([split.views.astype(np.float32).mean(axis=1) for split in SPLITS])
    np.testing.assert_array_equal(Pool(SPLITS).features(np.array(numbers, np.int64)), expected[numbers])


def test_blocks_follow_one_another_and_hold_each_image_once() -> None:
    pool = Pool([drawn("train", [0] * (BLOCK_IMAGES + 1)), SPLITS[2]])
    spans, features = zip(*pool.blocks(), strict=True)
    assert [number for span in spans for number in range(span.start, span.stop)] == list(range(len(pool)))
    np.testing.assert_array_equal(np.concatenate(features), pool.features(np.arange(len(pool))))


def test_no_images() -> None:
    assert len(Pool([])) == len(Pool([drawn("train", [])])) == 0
