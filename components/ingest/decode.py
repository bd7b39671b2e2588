"""Turns an image file into bytes that TensorFlow decodes to the same image."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from components.images.photos import Photo, UnreadableError, read_photo
from components.ingest.known_files import is_unchanged

PIXELS_DIGEST_BYTES = 16
_MAX_BYTES = 2 << 30  # of a file: more than the pixels that Pillow reads at most
_JPEG_TOLERANCE = 4  # mean difference, of 255 levels: TensorFlow decodes faster and less exactly, by 1 or 2
_LOSSY = ("JPEG", "MPO", "HEIF", "AVIF", "WEBP")  # WebP may be without loss, but hardly any photo is
_NO_DRAWINGS = ("JPEG", "MPO", "HEIF", "AVIF")  # formats of photos, gray ones among them
_QUALITY, _QUALITY_OF_ALL_PIXELS = 92, 95  # of shrunk photos, and of those that a network may see pixel by pixel


class EncodedImage(NamedTuple):
    """A JPEG or PNG that TensorFlow decodes to uint8 (height, width, 3), sRGB, upright."""

    data: bytes
    height: int
    width: int
    pixels_digest: bytes  # 16 bytes, equal for equal images


def read_image(
    file: Path,
    shorter_side_pixels: int | None = None,
    note: Callable[[os.stat_result, bytes], None] = lambda status, data: None,
) -> EncodedImage:
    """Reads the image in `file`, as `components.images.photos` does, and returns it encoded.

    `note` is called with the file's status and bytes, whether they are an image or not, unless it changes meanwhile.

    An image whose shorter side is larger than `shorter_side_pixels` is shrunk to it. Any other JPEG or PNG that
    TensorFlow decodes to the right pixels keeps its bytes. The rest becomes PNG, without loss, or JPEG: photos that are
    shrunk, or that have lost something before. With None nothing is shrunk or becomes JPEG. Raises UnreadableError with
    the reason if that is not possible.
    """
    try:
        data = _read(file, note)
        photo = read_photo(io.BytesIO(data), shorter_side_pixels=shorter_side_pixels)
        may_keep = not (photo.turned or photo.converted or photo.shrunk) and photo.format in ("JPEG", "MPO", "PNG")
        kept = _kept(data, photo.format, photo.pixels) if may_keep else None
        return kept or _encoded(photo, lossy=shorter_side_pixels is not None and _may_lose(photo))
    except OSError as error:
        raise UnreadableError(error.strerror) from error


def _read(file: Path, note: Callable[[os.stat_result, bytes], None]) -> bytes:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("not a regular file")
    if status.st_size > _MAX_BYTES:
        raise UnreadableError(f"{status.st_size / 1e9:.1f} GB; files of at most {_MAX_BYTES / 1e9:.1f} GB are read")
    data = file.read_bytes()
    if is_unchanged(status, file.stat()):
        note(status, data)
    return data


def _may_lose(photo: Photo) -> bool:
    """Returns whether a JPEG, several times smaller, does as well. Edges of drawings and texts would blur in it."""
    is_photo = photo.format in _NO_DRAWINGS or not photo.few_colors
    return is_photo and (photo.shrunk or photo.format in _LOSSY)


def _kept(data: bytes, format_: str, rgb: Image.Image) -> EncodedImage | None:
    """Returns the file's own bytes, if TensorFlow decodes them to the same image; else None."""
    expected = np.asarray(rgb)
    try:
        decoded = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    if decoded.shape != expected.shape:
        return None
    difference = np.maximum(decoded, expected) - np.minimum(decoded, expected)
    same = difference.mean() <= _JPEG_TOLERANCE if format_ != "PNG" else not difference.any()
    return EncodedImage(data, rgb.height, rgb.width, _digest(decoded)) if same else None


def _encoded(photo: Photo, lossy: bool) -> EncodedImage:
    file, rgb = io.BytesIO(), photo.pixels
    if lossy:
        # Without subsampled colors: shrunk from a photo that had them, all are worth keeping.
        quality = _QUALITY if photo.shrunk else _QUALITY_OF_ALL_PIXELS
        rgb.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    else:
        rgb.save(file, "PNG")
    return EncodedImage(file.getvalue(), rgb.height, rgb.width, _digest(np.asarray(rgb)))


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(str(pixels.shape).encode() + pixels.tobytes(), digest_size=PIXELS_DIGEST_BYTES).digest()
