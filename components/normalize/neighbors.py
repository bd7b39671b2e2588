"""Sums the products of neighboring pixels exactly, by matrix products in float32.

Values are centered to -128...127. A product is then at most 2^14, and 1024 of them are at most 2^24, up to where
float32 holds every integer. The sums are exact, in whatever order a library adds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_TERMS = 1024  # of one float32 sum
# A row of a matrix is 4 pixels, and those beside them: as many values as the vector registers of a processor take.
_RUN = 4
_BAND_PIXELS = 1 << 16  # which fit in a core's cache as float32; and large images do not fill the memory
_CHANNELS = 3


class NeighborSums(NamedTuple):
    """Exact sums over images with centered values. `[i, j]` is of a pixel's channel i and its neighbor's channel j."""

    pixels: NDArray[np.int64]  # (3,)
    same: NDArray[np.int64]  # (3, 3), of the products of each pixel with itself
    right: NDArray[np.int64]  # (3, 3), with the pixel to its right
    below: NDArray[np.int64]  # (3, 3, 3), with the pixel below it: to the left, right below, to the right

    @property
    def squares(self) -> NDArray[np.int64]:
        """The sums of the squares of each channel, (3,)."""
        return self.same.diagonal()


def centered(images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Returns the values less 128."""
    return (images ^ 128).view(np.int8)


def sum_neighbors(images: NDArray[np.uint8]) -> NeighborSums:
    """Adds up all pairs of neighbors inside images, uint8 (n, height, width, 3)."""
    bands = [_sum_band(*band) for band in _bands(images)]
    pixels, in_row, in_next_row = (np.sum(sums, axis=0).astype(np.int64) for sums in zip(*bands, strict=True))
    same, right = _by_distance(in_row)
    return NeighborSums(pixels, same, right, _by_distance(in_next_row))


def _bands(images: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yields (a few whole images, nothing), or (rows of one image, the row below them)."""
    count, height, width = images.shape[:3]
    at_a_time = _BAND_PIXELS // ((height + 1) * (width + 1))
    if at_a_time:
        for first in range(0, count, at_a_time):
            few = images[first : first + at_a_time]
            yield few, few[:, :0]
        return
    rows = max(1, _BAND_PIXELS // (width + 1))
    for image in images:
        for top in range(0, height, rows):
            yield image[None, top : top + rows], image[None, top + rows : top + rows + 1]


def _sum_band(band: NDArray[np.uint8], further: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
    """Sums the pixels of `band`, and their products with those there and in the row `further`, by runs of 4 pixels.

    All pixels lie in one array, one image after the other, with a zero after each row and a row of zeros after each
    image. A neighbor is then so many places away, wherever the pixel is, and what is no neighbor adds nothing.

    Returns:
        (3,); (12, 15), a run by itself and one pixel more; (12, 18), a run by the one below and a pixel on each side.
    """
    count, height, width = band.shape[:3]
    across = width + 1
    all_pixels = count * (height + 1) * across
    steps = -(-(all_pixels - across) // (2 * _RUN))  # the last row of zeros has no products
    blocks = -(-steps // _TERMS)
    depth = -(-steps // blocks)
    flat = np.zeros((blocks * depth * 2 * _RUN + across + 2, _CHANNELS), np.float32)
    grid = flat[1 : 1 + all_pixels].reshape(count, height + 1, across, _CHANNELS)
    grid[:, :height, :width] = centered(band)
    rows = grid.reshape(-1, across * _CHANNELS).sum(axis=0)  # much faster than three values at a time
    runs = _runs(flat, 1, _RUN, blocks, depth).swapaxes(2, 3)
    in_row = runs @ _runs(flat, 1, _RUN + 1, blocks, depth)
    # Only now: the runs may reach into this row, whose products with itself are those of the next band.
    grid[:, height : height + further.shape[1], :width] = centered(further)
    in_next_row = runs @ _runs(flat, across, _RUN + 2, blocks, depth)
    return rows.reshape(-1, _CHANNELS).sum(axis=0, dtype=np.float64), _total(in_row), _total(in_next_row)


def _total(products: NDArray[np.float32]) -> NDArray[np.float64]:
    """Adds up the matrices (blocks, 2, rows, columns)."""
    return products.sum(axis=(0, 1), dtype=np.float64)


def _runs(flat: NDArray[np.float32], start: int, pixels: int, blocks: int, depth: int) -> NDArray[np.float32]:
    """Views an array as matrices of `pixels` consecutive pixels a row: (blocks, 2, depth, 3 pixels).

    The first matrix of two has the runs 0, 2, 4 and so on, the second one the others. BLAS takes matrices whose rows
    lie apart as they are, but not matrices whose rows overlap, which those of all runs would.
    """
    run = _RUN * _CHANNELS * flat.itemsize
    shape = (blocks, 2, depth, pixels * _CHANNELS)
    return as_strided(flat[start:], shape, (depth * 2 * run, run, 2 * run, flat.itemsize), writeable=False)


def _by_distance(products: NDArray[np.int64]) -> NDArray[np.int64]:
    """Adds up products (12, 3 pixels) of equal distances in a row: (distances, 3, 3)."""
    by_pixel = products.reshape(_RUN, _CHANNELS, -1, _CHANNELS)
    run = np.arange(_RUN)
    return np.stack([by_pixel[run, :, run + far].sum(axis=0) for far in range(by_pixel.shape[2] - _RUN + 1)])
