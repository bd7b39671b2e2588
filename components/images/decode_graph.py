"""Decodes image files in TensorFlow's operations to the image that `components.images.photos` reads.

Of a JPEG, single levels may differ, because TensorFlow decodes faster and less exactly. What it does not do: convert
colors by ICC profiles, read damaged files, and read the opacity of a BMP or one of less than 8 bits for each pixel.
"""

from __future__ import annotations

import tensorflow as tf

from components.images.graph_exif import orientation
from components.images.graph_files import find_chunk, is_png, read_bytes
from components.images.graph_palettes import (
    decode_palette_bmp,
    has_palette,
    is_gif,
    with_white_for_transparent,
)

_GRAY, _GRAY_ALPHA, _RGB_ALPHA = 0, 4, 6  # color types of a PNG


def decode_upright(data: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG, PNG, GIF (its first frame) or BMP, turned as its EXIF data says, with its opacity laid on white.

    Damaged EXIF data counts as none.

    Args:
        data: string (), the bytes of the file.

    Returns:
        uint8 (height, width, 3), 0-255, RGB.

    Raises:
        tf.errors.InvalidArgumentError: when it runs, if the file is of another format or damaged.
    """
    return turn_upright(decode_on_white(data), orientation(data))


def decode_on_white(data: tf.Tensor) -> tf.Tensor:
    """Decodes as `decode_upright`, but does not turn the image."""

    def of_others() -> tf.Tensor:
        return tf.cond(has_palette(data), lambda: decode_palette_bmp(data), lambda: _decode_rgb(data))

    data = tf.cond(is_gif(data), lambda: with_white_for_transparent(data), lambda: data)
    return tf.ensure_shape(tf.cond(is_png(data), lambda: _decode_png(data), of_others), (None, None, 3))


def lay_on_white(image: tf.Tensor) -> tf.Tensor:
    """Lays uint8 (height, width, 4), whose last channel is opacity, on white: uint8 (height, width, 3)."""
    opacity = tf.cast(image[..., 3:], tf.float32) / 255
    on_white = tf.cast(image[..., :3], tf.float32) * opacity + 255 * (1 - opacity)
    return tf.cast(tf.round(on_white), tf.uint8)


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image (height, width, channels) as EXIF's orientation, int32 () from 1 to 8, asks."""
    axes = tf.gather([[0, 1, 2], [1, 0, 2]], tf.cast(orientation >= 5, tf.int32))
    upside_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.reverse(tf.transpose(image, axes), tf.boolean_mask([0, 1], tf.stack([upside_down, mirrored])))


def _decode_rgb(data: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(data, channels=3, expand_animations=False)


def _decode_png(data: tf.Tensor) -> tf.Tensor:
    depth, color_type = tf.unstack(read_bytes(data, 24, 2))
    has_transparent_color = find_chunk(data, b"tRNS", last=b"IDAT") < tf.strings.length(data)
    has_opacity = tf.reduce_any(color_type == [_GRAY_ALPHA, _RGB_ALPHA]) | has_transparent_color

    def gray_of_16_bits() -> tf.Tensor:
        gray = tf.cast(tf.io.decode_png(data, channels=1, dtype=tf.uint16), tf.int32)
        return tf.repeat(tf.cast((gray + 128) // 257, tf.uint8), 3, axis=-1)

    def on_white() -> tf.Tensor:
        # Only with opacity: libpng adds a wrong one to opaque grays of less than 8 bits.
        return lay_on_white(tf.io.decode_png(data, channels=4))

    is_gray_of_16_bits = (depth == 16) & (color_type == _GRAY)
    return tf.cond(
        is_gray_of_16_bits, gray_of_16_bits, lambda: tf.cond(has_opacity, on_white, lambda: _decode_rgb(data))
    )
