"""Augmentation of whole batches, in the graph."""

from __future__ import annotations

import tensorflow as tf


def augment(
    images: tf.Tensor, mirrored: tf.Tensor, seed: tf.Tensor, crop_padding_pixels: int, cutout_pixels: int
) -> tf.Tensor:
    """Each image mirrored or not, shifted by up to `crop_padding_pixels` each way, with a square blanked.

    Args:
        images: uint8 (n, height, width, 3), 0-255.
        mirrored: bool (n,).
        seed: int32 (2,). The same seed gives the same shifts and squares.
        crop_padding_pixels: smaller than the image. What is shifted in is the image, reflected at its edge.
        cutout_pixels: side of a square that becomes mid-grey, at a random place in the image; 0: none.

    Returns:
        float32 (n, height, width, 3), 0-255.
    """
    shift_seed, place_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shifts = tf.random.stateless_uniform(
        (tf.shape(images)[0], 2), shift_seed, -crop_padding_pixels, crop_padding_pixels + 1, tf.int32
    )
    rows = _reflect(tf.range(images.shape[1])[None] + shifts[:, :1], images.shape[1])
    columns = tf.range(images.shape[2])[None]
    columns = tf.where(mirrored[:, None], images.shape[2] - 1 - columns, columns)
    columns = _reflect(columns + shifts[:, 1:], images.shape[2])
    # Two gathers in bytes: 0.7 ms for 125 images of 32x32, of padding, cropping and flipping one after another 7 ms.
    shifted = tf.gather(tf.gather(images, rows, batch_dims=1), columns, axis=2, batch_dims=1)
    pixels = tf.cast(shifted, tf.float32)
    return _cut_out(pixels, cutout_pixels, place_seed) if cutout_pixels else pixels


def shrink(images: tf.Tensor, fraction: float) -> tf.Tensor:
    """To `fraction` of their size, at least 0.5, float32. Bilinear: at one half, the mean of four pixels."""
    if fraction == 1:
        return images
    return tf.image.resize(images, (round(images.shape[1] * fraction), round(images.shape[2] * fraction)))


def _reflect(positions: tf.Tensor, size: int) -> tf.Tensor:
    """Positions outside of 0 to size - 1, by less than a size, mirrored at the edge pixel."""
    return size - 1 - tf.abs(size - 1 - tf.abs(positions))


def _cut_out(pixels: tf.Tensor, side: int, seed: tf.Tensor) -> tf.Tensor:
    count, height, width = tf.shape(pixels)[0], pixels.shape[1], pixels.shape[2]
    top_seed, left_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    tops = tf.random.stateless_uniform((count, 1), top_seed, 0, height - side + 1, tf.int32)
    lefts = tf.random.stateless_uniform((count, 1), left_seed, 0, width - side + 1, tf.int32)
    rows = tf.logical_and(tf.range(height) >= tops, tf.range(height) < tops + side)
    columns = tf.logical_and(tf.range(width) >= lefts, tf.range(width) < lefts + side)
    return tf.where(tf.logical_and(rows[:, :, None], columns[:, None, :])[..., None], 127.5, pixels)
