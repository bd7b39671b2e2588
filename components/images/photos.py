"""Reads an image file of any supported format, or refuses it with a reason."""

from __future__ import annotations

import functools
import stat
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM")
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
    """A file that gives no image. The text is the reason, for people."""


class Photo(NamedTuple):
    """An image as people see it: upright and in RGB."""

    pixels: Image.Image  # RGB
    format: str  # of the file, as Pillow names it
    turned: bool  # whether EXIF data asked for a rotation or reflection


def read_photo(
    file: Path | IO[bytes], *, parsers: tuple[str, ...] | None = None, max_pixels: int | None = None
) -> Photo:
    """Returns the image in `file`: 8 bits, RGB, upright. The name of the file does not matter.

    It is turned as EXIF says. Of an animation it is the first frame; 16 bits are scaled to 8; transparency is laid on
    white.

    Args:
        file: the file's path, or a file opened to read bytes.
        parsers: formats whose parsers may read the file, for files from strangers; by default all that Pillow knows.
        max_pixels: limit of height times width, checked before decoding; by default Pillow's own, 179 million.

    Raises:
        UnreadableError: the file gives no image. The text is the reason, for people.
    """
    _register_heif()
    try:
        if isinstance(file, Path) and not stat.S_ISREG(file.stat().st_mode):
            raise UnreadableError("not a regular file")
        with Image.open(file, formats=parsers) as image:
            _check(image, max_pixels)
            image.load()
            upright = _upright(image)
            return Photo(_to_rgb(upright), image.format or "", upright is not image)
    except (UnreadableError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableError("not an image" if _has_bytes(file) else "empty file") from None
    except Image.DecompressionBombError as error:
        raise UnreadableError(str(error)) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise UnreadableError(getattr(error, "strerror", None) or f"damaged: {error}") from error


@functools.cache
def _register_heif() -> None:
    """Makes Pillow read HEIC, the format of iPhone photos; it needs libheif for that."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _check(image: Image.Image, max_pixels: int | None) -> None:
    if image.format not in FORMATS:
        raise UnreadableError(f"{image.format} files are not read")
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise UnreadableError(
            f"{image.width} x {image.height} pixels (width x height); at most {max_pixels:,} are read"
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the parser may raise anything; unreadable EXIF data is ignored
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


def _has_bytes(file: Path | IO[bytes]) -> bool:
    if isinstance(file, Path):
        return file.stat().st_size > 0
    file.seek(0)
    return bool(file.read(1))
