"""Reads from EXIF data how a camera was held, as `components.images.exif` does, in TensorFlow's operations."""

from __future__ import annotations

import tensorflow as tf

from components.images.exif import BIG_ENDIAN, LITTLE_ENDIAN, LONG, ORIENTATION, PREFIX, SHORT
from components.images.graph_files import big_endian, find_app1, find_chunk, is_png, read_bytes, read_string

_ENTRY_BYTES = 12  # of a directory: tag and type of 2 bytes each, number of values and value of 4 each


def orientation(data: tf.Tensor) -> tf.Tensor:
    """Returns the orientation, int32 () from 1 to 8, that a JPEG or PNG states; 1 if it, or another file, states none.

    `data` is string (), the bytes of the file.
    """

    def of_others() -> tf.Tensor:
        return tf.cond(is_png(data), lambda: _of_png(data), lambda: tf.constant(b""))

    found = tf.cond(tf.io.is_jpeg(data), lambda: _of_jpeg(data), of_others)
    return tf.cond(found == b"", lambda: 1, lambda: _of_exif(found))


def _of_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Returns the EXIF data of a JPEG, string (); empty if there is none."""
    at = find_app1(data, PREFIX)
    return read_string(data, at + 4, big_endian(read_bytes(data, at + 2, 2)) - 2)


def _of_png(data: tf.Tensor) -> tf.Tensor:
    """Returns the EXIF data of a PNG, string (); empty if there is none."""
    at = find_chunk(data, b"eXIf", last=b"IEND")
    return read_string(data, at + 8, big_endian(read_bytes(data, at, 4)))


def _of_exif(found: tf.Tensor) -> tf.Tensor:
    """Returns the orientation that EXIF data, with or without its prefix, states."""
    start = tf.where(read_string(found, 0, len(PREFIX)) == PREFIX, len(PREFIX), 0)
    tiff = read_string(found, start, tf.strings.length(found))
    byte_order = read_string(tiff, 0, 4)
    is_little = byte_order == LITTLE_ENDIAN

    def number(bytes_: tf.Tensor) -> tf.Tensor:
        return big_endian(tf.where(is_little, tf.reverse(bytes_, [-1]), bytes_))

    directory = tf.minimum(number(read_bytes(tiff, 4, 4)), tf.strings.length(tiff))
    entries = _entries(tiff, directory + 2, number(read_bytes(tiff, directory, 2)))
    of_tag = tf.boolean_mask(entries, number(entries[:, :2]) == ORIENTATION)
    first = tf.concat([of_tag, tf.zeros((1, _ENTRY_BYTES), tf.int32)], axis=0)[0]
    type_, values, short, long = (number(first[start:stop]) for start, stop in ((2, 4), (4, 8), (8, 10), (8, 12)))
    value = tf.where(type_ == LONG, long, short)
    is_sound = ((type_ == SHORT) | (type_ == LONG)) & (values == 1) & (value >= 1) & (value <= 8)
    return tf.where(is_sound & (is_little | (byte_order == BIG_ENDIAN)), value, 1)


def _entries(tiff: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns the whole entries of a directory that the data holds, int32 (n, 12)."""
    stored = read_string(tiff, start, count * _ENTRY_BYTES)
    whole = tf.strings.length(stored) // _ENTRY_BYTES * _ENTRY_BYTES
    return tf.cast(tf.reshape(tf.io.decode_raw(read_string(stored, 0, whole), tf.uint8), (-1, _ENTRY_BYTES)), tf.int32)
