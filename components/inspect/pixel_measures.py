"""Measures of an image's pixels that tell photos from pictures of nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Larger images are measured shrunk to this shorter side: what is blurred beyond it is blurred to the network too, and
# large and small images compare.
WORKING_SIDE_PIXELS = 128
WORKING_PIXELS = 1 << 17  # of images far longer than wide no more are looked at than this
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
LEVEL_STEP = 32  # levels of a channel that first count as one color
SAME_COLOR_LEVELS = 12  # levels of each channel by which a color may differ from the commonest one, and still be it
SMALLEST_DEVIATION = 1e-3  # of the levels, 0-1


class PixelMeasures(NamedTuple):
    """What is measured of one image. All are finite."""

    brightness: float  # mean level, 0 (black) to 1 (white)
    contrast: float  # standard deviation of the level, 0-0.5
    sharpness: float  # variance of the Laplacian by the variance of the level: 0 is blurred, noise has 20
    commonest_color_fraction: float  # fraction of the pixels that have about the commonest color, 0-1
    aspect_ratio: float  # longer side by shorter side, 1 or more


def measure(image: NDArray[np.uint8]) -> PixelMeasures:
    """Measures an image, uint8 (height, width, 3), 0-255, RGB, of any size from one pixel on."""
    small = _working_size(image)
    level = (small.astype(np.float32) @ LUMA / 255).astype(np.float32)
    return PixelMeasures(
        brightness=float(level.mean()),
        contrast=float(level.std()),
        sharpness=_sharpness(level),
        commonest_color_fraction=_commonest_color_fraction(small),
        aspect_ratio=max(image.shape[:2]) / min(image.shape[:2]),
    )


def _working_size(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrinks an image so that its shorter side has `WORKING_SIDE_PIXELS`; a smaller one stays as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE_PIXELS / min(height, width))
    if height * width * scale**2 > WORKING_PIXELS:
        scale = (WORKING_PIXELS / (height * width)) ** 0.5
    if scale == 1:
        return image
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=2.0))


def _sharpness(level: NDArray[np.float32]) -> float:
    """Returns the variance of the Laplacian by that of the level, 0 of an image without an inner pixel."""
    deviation = float(level.std())
    if min(level.shape) < 3 or deviation < SMALLEST_DEVIATION:
        return 0.0
    middle = level[1:-1, 1:-1]
    laplacian = level[:-2, 1:-1] + level[2:, 1:-1] + level[1:-1, :-2] + level[1:-1, 2:] - 4 * middle
    return float(laplacian.var()) / deviation**2


def _commonest_color_fraction(image: NDArray[np.uint8]) -> float:
    """Looks for the commonest color among coarse ones, then counts what is about the median of its pixels.

    A color at a bound of coarse ones is split by it, and is not by the bounds half a step further on.
    """
    pixels = image.reshape(-1, 3).astype(np.int16)
    fractions = []
    for offset in (0, LEVEL_STEP // 2):
        coarse = ((pixels + offset) // LEVEL_STEP) @ np.array([81, 9, 1], np.int16)
        commonest = np.median(pixels[coarse == np.bincount(coarse).argmax()], axis=0)
        fractions.append(float((np.abs(pixels - commonest) <= SAME_COLOR_LEVELS).all(axis=1).mean()))
    return max(fractions)
