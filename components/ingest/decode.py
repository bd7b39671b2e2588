"""Reads one image file of whatever kind: properly, or not at all."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JPEG_TOLERANCE = 4  # of 255, on average: TensorFlow decodes faster and less exactly, by 1 or 2
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableError(Exception):
    """Why a file gave no image."""


class EncodedImage(NamedTuple):
    """A JPEG or PNG that TensorFlow decodes to uint8 (height, width, 3), RGB, upright."""

    data: bytes
    height: int
    width: int


def read_image(file: Path) -> EncodedImage:
    """The image in `file`, whose name does not matter.

    A JPEG or PNG that TensorFlow decodes to the right pixels is kept as it is. All else becomes an RGB PNG without
    loss: turned as EXIF says, the first frame of an animation, 16 bits scaled to 8, laid on white where it is
    transparent. Raises UnreadableError with the reason where that is not possible.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise UnreadableError("not a regular file")
        with Image.open(file) as image:
            if image.format not in FORMATS:
                raise UnreadableError(f"{image.format} files are not read")
            image.load()
            upright = _upright(image)
            rgb = _to_rgb(upright)
            may_keep = upright is image and image.format in ("JPEG", "MPO", "PNG")
            kept = _kept(file, image.format, rgb) if may_keep else None
            return kept or _as_png(rgb)
    except (UnreadableError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableError(_what_it_is(file)) from None
    except Image.DecompressionBombError as error:
        raise UnreadableError(str(error)) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise UnreadableError(getattr(error, "strerror", None) or f"damaged: {error}") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # its parser raises anything; EXIF data that cannot be read says nothing
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _to_rgb(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips 16 bits to 8: all but the darkest images turn white.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        grey = (np.asarray(image, np.uint32) + 128) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise UnreadableError("32-bit samples: which of them is white is not known")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    try:
        return image.convert("RGB")
    except ValueError:
        raise UnreadableError(f"{image.mode} colours are not read") from None


def _kept(file: Path, format_: str, rgb: Image.Image) -> EncodedImage | None:
    """The file's own bytes, if TensorFlow makes the same image of them."""
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


def _what_it_is(file: Path) -> str:
    with file.open("rb") as opened:
        header = opened.read(12)
    if not header:
        return "empty file"
    if header[4:8] == b"ftyp" and header[8:12] in _HEIF_BRANDS:
        return "HEIC files are not read; export them as JPEG"
    return "not an image"
