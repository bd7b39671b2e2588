"""Makes the views of an image: what a pretrained network is shown of it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.images.random_window import draw_window
from components.images.resize import crop_and_resize

AREA_FRACTION = (0.35, 1.0)  # of the image, in a random window


def make_views(image: tf.Tensor, seed: tf.Tensor, size_pixels: int, random_windows: int) -> tf.Tensor:
    """Returns the centered crop of an image, its mirror image, and random windows.

    A window covers 0.35 to 1 of the image's area, is from 3/4 to 4/3 as wide as high, and one in two is mirrored. It is
    resized as the crop is: bilinear, antialiased if it shrinks. The first windows are the same however many there are.

    Args:
        image: uint8 (any height, any width, 3), RGB.
        seed: int64 (), of the windows.
        size_pixels: the height and width of a view.
        random_windows: their number.

    Returns:
        uint8 (2 + random_windows, size_pixels, size_pixels, 3).
    """
    center = crop_and_resize(image, size_pixels, size_pixels)
    windows = [_random_window(image, tf.stack([seed, number]), size_pixels) for number in range(random_windows)]
    return tf.stack([center, tf.reverse(center, axis=[1]), *windows])


def _random_window(image: tf.Tensor, seed: tf.Tensor, size_pixels: int) -> tf.Tensor:
    top, left, height, width = tf.unstack(draw_window(tf.shape(image), seed, AREA_FRACTION))
    window = tf.image.resize(image[top : top + height, left : left + width], (size_pixels,) * 2, antialias=True)
    pixels = tf.saturate_cast(tf.round(window), tf.uint8)
    is_mirrored = tf.random.stateless_uniform((), seed) < 0.5
    return tf.cond(is_mirrored, lambda: tf.reverse(pixels, axis=[1]), lambda: pixels)


def seeds_of(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns a seed for each image, (n,), from the digest of its content, (n, bytes)."""
    return np.ascontiguousarray(digests[:, :8]).view(np.int64)[:, 0]
