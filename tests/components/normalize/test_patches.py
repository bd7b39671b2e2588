from __future__ import annotations

import numpy as np
import pytest

from components.normalize.neighbors import sum_neighbors
from components.normalize.patches import sum_patches


@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 2, 7), (3, 7, 2), (4, 6, 5)])
def test_sums_are_those_of_all_patches(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))  # (n, y, x, channel, row, column)
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12).astype(np.int64) - 128
    sums, products = sum_patches(images, sum_neighbors(images))
    assert sums.tolist() == patches.sum(axis=0).tolist()
    assert products.tolist() == (patches.T @ patches).tolist()
