"""Reads palettes, which TensorFlow's decoders get wrong: those of BMP files and of transparent GIF files."""

from __future__ import annotations

import tensorflow as tf

from components.images.graph_files import big_endian, read_bytes, read_string

_BMP_INFO_HEADER = 14  # where it begins, with its own size
_GIF_HEADER_BYTES = 13
_TABLE, _TABLE_SIZE, _TRANSPARENT = 0x80, 0x07, 0x01  # bits of flags in a GIF
_EXTENSION, _GRAPHIC_CONTROL, _IMAGE = 0x21, 0xF9, 0x2C  # first bytes of a GIF's blocks
_MAX_BLOCKS = 4096  # before the first frame are looked at, which bounds the time that a file can take


def has_palette(data: tf.Tensor) -> tf.Tensor:
    """Returns whether a file, string (), is a BMP of one byte for each pixel: bool ()."""
    return (read_string(data, 0, 2) == b"BM") & (_little_endian(data, 28, 2) == 8)


def decode_palette_bmp(data: tf.Tensor) -> tf.Tensor:
    """Decodes such a BMP to uint8 (height, width, 3), RGB. TensorFlow alone takes the index of a color for a gray."""
    indices = tf.io.decode_bmp(data)[..., 0]
    start = _BMP_INFO_HEADER + _little_endian(data, _BMP_INFO_HEADER, 4)
    colors = tf.reshape(read_bytes(data, start, 4 * 256), (256, 4))[:, 2::-1]
    return tf.cast(tf.gather(colors, tf.cast(indices, tf.int32)), tf.uint8)


def is_gif(data: tf.Tensor) -> tf.Tensor:
    """Returns whether a file, string (), is a GIF: bool ()."""
    return read_string(data, 0, 4) == b"GIF8"


def with_white_for_transparent(gif: tf.Tensor) -> tf.Tensor:
    """Returns a GIF whose first frame has white where it was transparent. TensorFlow alone makes that black."""
    control, image = _find_first_frame(gif)
    index = read_bytes(gif, control + 6, 1)[0]
    has_own_table = read_bytes(gif, image + 9, 1)[0] & _TABLE != 0
    color = tf.where(has_own_table, image + 10, _GIF_HEADER_BYTES) + 3 * index
    is_transparent = read_bytes(gif, control + 3, 1)[0] & _TRANSPARENT != 0
    opaque = _replace(_replace(gif, color, b"\xff" * 3), control + 3, b"\0")
    return tf.where(is_transparent & (image < tf.strings.length(gif)), opaque, gif)


def _find_first_frame(gif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the last graphic control before the first frame starts, and where the frame does.

    What is not there is at the file's end.
    """
    length = tf.strings.length(gif)
    flags = read_bytes(gif, 10, 1)[0]
    table_bytes = tf.where(flags & _TABLE != 0, tf.bitwise.left_shift(6, flags & _TABLE_SIZE), 0)

    def goes_on(at: tf.Tensor, _: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
        return (at < length) & (inside | (read_bytes(gif, at, 1)[0] == _EXTENSION))

    def step(at: tf.Tensor, control: tf.Tensor, inside: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first, second = tf.unstack(read_bytes(gif, at, 2))
        is_control = ~inside & (second == _GRAPHIC_CONTROL)
        following = at + tf.where(inside, 1 + first, 2)  # an extension consists of blocks, and ends with an empty one
        return following, tf.where(is_control, at, control), ~inside | (first != 0)

    start = (_GIF_HEADER_BYTES + table_bytes, length, tf.constant(False))
    at, control, _ = tf.while_loop(goes_on, step, start, parallel_iterations=1, maximum_iterations=_MAX_BLOCKS)
    return control, tf.where(read_bytes(gif, at, 1)[0] == _IMAGE, at, length)


def _replace(data: tf.Tensor, start: tf.Tensor, new: bytes) -> tf.Tensor:
    stop = start + len(new)
    return tf.strings.join([read_string(data, 0, start), new, read_string(data, stop, tf.strings.length(data))])


def _little_endian(data: tf.Tensor, start: int, count: int) -> tf.Tensor:
    return big_endian(read_bytes(data, start, count)[::-1])
