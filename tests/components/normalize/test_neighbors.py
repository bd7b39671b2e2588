from __future__ import annotations

import numpy as np
import pytest

from components.normalize.neighbors import centered, sum_neighbors


def expected(images: np.ndarray, down: int, right: int) -> list[list[int]]:
    """The products of each pixel with the one so far from it, the slow way."""
    values = images.astype(np.int64) - 128
    height, width = values.shape[1:3]
    ones = values[:, : height - down, max(0, -right) : width - max(0, right)]
    others = values[:, down:, max(0, right) : width + min(0, right)]
    return np.einsum("nyxi,nyxj->ij", ones, others).tolist()


def check(images: np.ndarray) -> None:
    found = sum_neighbors(images)
    assert found.pixels.tolist() == (images.astype(np.int64) - 128).sum(axis=(0, 1, 2)).tolist()
    assert found.same.tolist() == expected(images, 0, 0)
    assert found.squares.tolist() == np.diagonal(expected(images, 0, 0)).tolist()
    assert found.right.tolist() == expected(images, 0, 1)
    assert found.below.tolist() == [expected(images, 1, right) for right in (-1, 0, 1)]


# One pixel, one row, one column; runs that end anywhere in a row; bands of images, of rows, and of single rows.
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (2, 1, 9), (2, 9, 1), (3, 5, 4), (3, 5, 7), (80, 32, 32), (2, 700, 130), (1, 3, 66000), (1, 66000, 3)],
)
def test_all_pairs_of_neighbors_are_added(shape: tuple[int, ...]) -> None:
    check(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))


@pytest.mark.parametrize("values", [(0, 2), (254, 256)])
def test_no_sum_is_rounded(values: tuple[int, int]) -> None:
    # Products of the largest values, most of them odd: the sum of one more than 1024 could not be held exactly.
    check(np.random.default_rng(0).integers(*values, (1, 200, 200, 3), dtype=np.uint8))


def test_values_are_centered() -> None:
    assert centered(np.array([0, 127, 128, 255], np.uint8)).tolist() == [-128, -1, 0, 127]


def test_images_that_are_no_copy_of_their_own_are_left_as_they_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 8, 3), dtype=np.uint8)
    before = images.copy()
    check(images[:, ::-1, ::2])
    np.testing.assert_array_equal(images, before)
