"""Decodes random windows of encoded images. Of a JPEG, only what lies in the window is decoded."""

from __future__ import annotations

import tensorflow as tf

from components.images.decode_graph import decode_on_white
from components.images.random_window import draw_window


def decode_window(
    data: tf.Tensor, seed: tf.Tensor, area_fraction: tuple[float, float], height: int, width: int
) -> tf.Tensor:
    """Decodes a random window of an upright image, lays its opacity on white, and resizes it (bilinear).

    The window is drawn by `components.images.random_window`.

    Args:
        data: string (), a JPEG, PNG, GIF or BMP.
        seed: int64 (2,): the same seed gives the same window of the same image.
        area_fraction: the smallest and the largest part of the image's area, each from 0 to 1.
        height: of the result, in pixels.
        width: of the result, in pixels.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    window = tf.cond(
        tf.io.is_jpeg(data),
        lambda: _of_jpeg(data, seed, area_fraction),
        lambda: _of_another(data, seed, area_fraction),
    )
    # Antialiasing would cost four times as much as decoding: windows are mostly about as large as the result.
    pixels = tf.image.resize(tf.ensure_shape(window, (None, None, 3)), (height, width))
    return tf.saturate_cast(tf.round(pixels), tf.uint8)


def _of_jpeg(data: tf.Tensor, seed: tf.Tensor, area_fraction: tuple[float, float]) -> tf.Tensor:
    window = draw_window(tf.io.extract_jpeg_shape(data), seed, area_fraction)
    return tf.io.decode_and_crop_jpeg(data, window, channels=3)


def _of_another(data: tf.Tensor, seed: tf.Tensor, area_fraction: tuple[float, float]) -> tf.Tensor:
    pixels = decode_on_white(data)
    top, left, height, width = tf.unstack(draw_window(tf.shape(pixels), seed, area_fraction))
    return pixels[top : top + height, left : left + width]
