"""Finds parts of JPEG and PNG files in TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

_PNG = b"\x89PNG\r\n\x1a\n"
_APP1, _RST0, _SOS = 0xE1, 0xD0, 0xDA  # markers of a JPEG
_MAX_PARTS = 4096  # of a file are looked at, which bounds the time that a file can take


def is_png(data: tf.Tensor) -> tf.Tensor:
    """Returns whether a file, string (), is a PNG: bool ()."""
    return read_string(data, 0, len(_PNG)) == _PNG


def read_string(data: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """Returns `count` bytes from `start` on, string (); fewer where the data ends."""
    return tf.strings.substr(data, tf.minimum(start, tf.strings.length(data)), tf.maximum(count, 0))


def read_bytes(data: tf.Tensor, start: tf.Tensor | int, count: int) -> tf.Tensor:
    """Returns `count` bytes from `start` on, int32 (count,), 0-255; zeros where the data ends."""
    padded = tf.strings.join([read_string(data, start, count), b"\0" * count])
    return tf.ensure_shape(tf.cast(tf.io.decode_raw(padded, tf.uint8)[:count], tf.int32), (count,))


def big_endian(bytes_: tf.Tensor) -> tf.Tensor:
    """Returns the numbers int32 (...) that bytes, int32 (..., up to 4), are; at most 2 ** 30, more than a file has."""
    number = tf.constant(0, tf.int64)
    for byte in tf.unstack(tf.cast(bytes_, tf.int64), axis=-1):
        number = 256 * number + byte
    return tf.cast(tf.minimum(number, 1 << 30), tf.int32)


def find_chunk(png: tf.Tensor, kind: bytes, last: bytes) -> tf.Tensor:
    """Returns where the first chunk of a kind starts in a PNG, int32 (); the file's length if there is none.

    The search ends at the first chunk of the kind `last`.
    """
    return _find(
        png,
        start=len(_PNG),
        head_bytes=8,
        found=lambda head: tf.reduce_all(head[4:] == list(kind)),
        past=lambda head: tf.reduce_all(head[4:] == list(last)),
        size=lambda head: 12 + big_endian(head[:4]),
    )


def find_app1(jpeg: tf.Tensor, prefix: bytes) -> tf.Tensor:
    """Returns where the first segment APP1 with a prefix starts in a JPEG, int32 (); its length if there is none."""

    def past(head: tf.Tensor) -> tf.Tensor:
        return (head[0] != 0xFF) | ((head[1] >= _RST0) & (head[1] <= _SOS))

    def size(head: tf.Tensor) -> tf.Tensor:
        return tf.where(head[1] == 0xFF, 1, 2 + big_endian(head[2:4]))  # 0xFF again is only filled in

    return _find(
        jpeg,
        start=2,
        head_bytes=4 + len(prefix),
        found=lambda head: (head[1] == _APP1) & tf.reduce_all(head[4:] == list(prefix)),
        past=past,
        size=size,
    )


def _find(
    data: tf.Tensor,
    start: int,
    head_bytes: int,
    found: Callable[[tf.Tensor], tf.Tensor],
    past: Callable[[tf.Tensor], tf.Tensor],
    size: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Goes from part to part. Returns where the one starts that its first bytes tell, or the data's length."""
    length = tf.strings.length(data)

    def step(at: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = read_bytes(data, at, head_bytes)
        here = found(head)
        following = tf.where(past(head), length, tf.minimum(at + size(head), length))
        return tf.where(here, at, following), here

    at, is_found = tf.while_loop(
        lambda at, is_found: (at < length) & ~is_found,
        step,
        (tf.constant(start), tf.constant(False)),
        parallel_iterations=1,
        maximum_iterations=_MAX_PARTS,
    )
    return tf.where(is_found, at, length)
