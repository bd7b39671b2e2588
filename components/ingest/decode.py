"""Turns an image file into bytes that TensorFlow decodes to the same image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from components.images.photos import UnreadableError, read_photo

_JPEG_TOLERANCE = 4  # mean difference, of 255 levels: TensorFlow decodes faster and less exactly, by 1 or 2


class EncodedImage(NamedTuple):
    """A JPEG or PNG that TensorFlow decodes to uint8 (height, width, 3), sRGB, upright."""

    data: bytes
    height: int
    width: int


def read_image(file: Path) -> EncodedImage:
    """Reads the image in `file`, as `components.images.photos` does, and returns it encoded.

    A JPEG or PNG that TensorFlow decodes to the right pixels is kept as it is. All others become an RGB PNG without
    loss. Raises UnreadableError with the reason if that is not possible.
    """
    photo = read_photo(file)
    may_keep = not (photo.turned or photo.converted) and photo.format in ("JPEG", "MPO", "PNG")
    try:
        kept = _kept(file, photo.format, photo.pixels) if may_keep else None
        return kept or _as_png(photo.pixels)
    except OSError as error:
        raise UnreadableError(error.strerror) from error


def _kept(file: Path, format_: str, rgb: Image.Image) -> EncodedImage | None:
    """Returns the file's own bytes, if TensorFlow decodes them to the same image; else None."""
    data, expected = file.read_bytes(), np.asarray(rgb)
    try:
        decoded = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    if decoded.shape != expected.shape:
        return None
    difference = np.maximum(decoded, expected) - np.minimum(decoded, expected)
    same = difference.mean() <= _JPEG_TOLERANCE if format_ != "PNG" else not difference.any()
    return EncodedImage(data, rgb.height, rgb.width) if same else None


def _as_png(rgb: Image.Image) -> EncodedImage:
    file = io.BytesIO()
    rgb.save(file, "PNG")
    return EncodedImage(file.getvalue(), rgb.height, rgb.width)
