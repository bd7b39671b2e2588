"""Draws random windows of images: their sizes, shapes and places."""

from __future__ import annotations

import tensorflow as tf

ASPECT_RATIOS = (3 / 4, 4 / 3)
_ATTEMPTS = 10  # to draw a window that lies in the image; after that it is the whole image


def draw_window(shape: tf.Tensor, seed: tf.Tensor, area_fraction: tuple[float, float]) -> tf.Tensor:
    """Draws a window of an image: int32 (4,): top, left, height, width.

    Szegedy et al. 2015, "Going deeper with convolutions", section 6: the window is from 3/4 to 4/3 as wide as high, and
    its part of the image's area is drawn as well.

    Args:
        shape: int32 (3,), of the image: height, width, channels.
        seed: int64 (2,): the same seed gives the same window of an image of the same shape.
        area_fraction: the smallest and the largest part of the image's area, each from 0 to 1.
    """
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.zeros((1, 0, 4)),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=ASPECT_RATIOS,
        area_range=area_fraction,
        max_attempts=_ATTEMPTS,
        use_image_if_no_bounding_boxes=True,
    )
    return tf.concat([begin[:2], size[:2]], axis=0)
