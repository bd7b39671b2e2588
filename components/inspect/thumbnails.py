"""Makes small gray pictures of images without their frames, and resizes pictures by matrix products."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # of a thumbnail, in pixels
_FRAME_LEVELS = 12  # of 255: how far the pixels of a frame may be from its corner, as JPEG changes them
_FRAME_FRACTION = 0.25  # of a side: the most that is cut off at each end
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue in gray, as in JPEG


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the image (any height, any width, 3) as gray pixels (SIDE, SIDE), 0-255, stretched to a square.

    A frame of one color, or such bars at two opposite ends, are cut off first.
    """
    image = _cut_frame_off(image)
    height, width = image.shape[:2]
    # Narrowing first leaves little to turn into gray. The columns: (width, SIDE).
    narrow = np.einsum("hwc,ws->hsc", image, resize_matrix(0.0, 1.0, width, SIDE).T, dtype=np.float32, optimize=True)
    gray = resize_matrix(0.0, 1.0, height, SIDE) @ (narrow @ _LUMA)
    return np.rint(gray).clip(0, 255).astype(np.uint8)


def _cut_frame_off(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    plain = (np.abs(image.astype(np.int16) - image[0, 0]) <= _FRAME_LEVELS).all(axis=2)
    (top, bottom), (left, right) = (_plain_ends(plain.all(axis=axis)) for axis in (1, 0))
    return image[top : len(image) - bottom, left : image.shape[1] - right]


def _plain_ends(plain: NDArray[np.bool_]) -> tuple[int, int]:
    """Returns how many lines at the beginning and at the end are plain; none if they are so at one end alone."""
    most = int(len(plain) * _FRAME_FRACTION)
    first, last = (min(int(lines.argmin()), most) for lines in (plain, plain[::-1]))
    return (first, last) if first and last else (0, 0)


@functools.lru_cache(maxsize=256)
def resize_matrix(start: float, stop: float, source: int, target: int) -> NDArray[np.float32]:
    """Returns the weights (target, source) that resize a part of a line of pixels, from `start` to `stop`, 0-1.

    The filter is a triangle, wider than a pixel where it shrinks: bilinear and antialiased.
    """
    scale = (stop - start) * source / target
    centers = start * source + (np.arange(target) + 0.5) * scale - 0.5
    distances = np.abs(centers[:, None] - np.arange(source))
    weights = np.maximum(0, 1 - distances / max(scale, 1.0))
    matrix: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix
