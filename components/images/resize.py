"""Crops and resizes an image to the model's input size, in one way from training to the phone."""

from __future__ import annotations

import tensorflow as tf


def crop_and_resize(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Crops the largest centered window of the target's aspect ratio, and resizes it.

    The resize is bilinear, antialiased if it shrinks. This is what Core ML's Vision request does with
    `VNImageCropAndScaleOption.centerCrop`.

    Args:
        image: uint8 (any height, any width, 3).
        height: of the result, in pixels.
        width: of the result, in pixels.

    Returns:
        uint8 (height, width, 3). An image that already has this size is returned unchanged.
    """
    size = tf.shape(image)
    scale = tf.minimum(size[0] / height, size[1] / width)
    window_height = tf.cast(tf.maximum(tf.round(height * scale), 1), tf.int32)
    window_width = tf.cast(tf.maximum(tf.round(width * scale), 1), tf.int32)
    top, left = (size[0] - window_height) // 2, (size[1] - window_width) // 2
    window = image[top : top + window_height, left : left + window_width]

    def resized() -> tf.Tensor:
        pixels = tf.image.resize(window, (height, width), antialias=True)
        return tf.saturate_cast(tf.round(pixels), tf.uint8)

    same = tf.logical_and(tf.equal(window_height, height), tf.equal(window_width, width))
    return tf.ensure_shape(tf.cond(same, lambda: window, resized), (height, width, 3))
