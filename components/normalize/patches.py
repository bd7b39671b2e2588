"""Computes exact sums over the 2x2 patches of images from those over all pixels, and over their edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.normalize.neighbors import NeighborSums, centered

PATCH_VALUES = 12  # 2 rows x 2 columns x 3 channels


def sum_patches(images: NDArray[np.uint8], all_: NeighborSums) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums the patches, and the products of each two of their values, in (row, column, channel) order.

    Each corner of a patch takes all pixels but one row and one column: the upper corners never lie in the last row, nor
    the left ones in the last column. (The pixel in which both meet is subtracted twice, and added again.)

    Args:
        images: uint8 (n, height, width, 3), of at least 2x2 pixels.
        all_: the sums over the same images.

    Returns:
        (12,) and (12, 12), of values less 128.
    """
    # (2, n, length, 3): the last and the first row, the last and the first column.
    rows = centered(images[:, (-1, 0)]).astype(np.float64).transpose(1, 0, 2, 3)
    columns = centered(images[:, :, (-1, 0)]).astype(np.float64).transpose(2, 0, 1, 3)
    meeting = rows[:, :, (-1, 0)].transpose(0, 2, 1, 3)  # (2, 2, n, 3)
    sums = all_.pixels - _sums(rows)[:, None] - _sums(columns) + meeting.sum(axis=2).astype(np.int64)
    same = all_.same - _products(rows)[:, None] - _products(columns) + _matrix_products(meeting, meeting)
    across = all_.right - _products(rows, distance=1)
    down = all_.below[1] - _products(columns, distance=1)
    products = np.zeros((2, 2, 3, 2, 2, 3), np.int64)
    for row, column in np.ndindex(2, 2):
        products[row, column, :, row, column] = same[row, column]
    for line in range(2):
        products[line, 0, :, line, 1], products[line, 1, :, line, 0] = across[line], across[line].T
        products[0, line, :, 1, line], products[1, line, :, 0, line] = down[line], down[line].T
        slant = all_.below[2 - 2 * line]
        products[0, line, :, 1, 1 - line], products[1, 1 - line, :, 0, line] = slant, slant.T
    return sums.reshape(PATCH_VALUES), products.reshape(PATCH_VALUES, PATCH_VALUES)


def _sums(lines: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sums (2, n, length, 3) to (2, 3)."""
    return lines.sum(axis=(1, 2)).astype(np.int64)


def _products(lines: NDArray[np.float64], distance: int = 0) -> NDArray[np.int64]:
    """Sums the products of pixels (2, n, length, 3) that are so far apart in their line: (2, 3, 3)."""
    ahead, behind = lines[:, :, : lines.shape[2] - distance], lines[:, :, distance:]
    return _matrix_products(ahead.reshape(2, -1, 3), behind.reshape(2, -1, 3))


def _matrix_products(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.int64]:
    """Multiplies (..., pixels, 3) and (..., pixels, 3) to (..., 3, 3). The sums stay far below 2^53: they are exact."""
    return (one.swapaxes(-1, -2) @ other).astype(np.int64)
