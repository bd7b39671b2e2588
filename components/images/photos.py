"""Reads an image file of any supported format, or refuses it with a reason."""

from __future__ import annotations

import contextlib
import functools
import io
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from components.images.color_profile import to_srgb
from components.images.exif import orientation
from components.images.pages import first_page_doubt
from components.images.repair import repaired
from components.images.shrink import shrink, shrunk_size, tile_boxes

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM")
FEW_COLORS = 256
_LARGE_PIXELS = 32_000_000  # images that take so many pixels in memory are decoded one at a time
_LARGE = threading.Lock()
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
    """An image as people see it: upright and in sRGB."""

    pixels: Image.Image  # RGB
    format: str  # of the file, as Pillow names it
    turned: bool  # whether EXIF data asked for a rotation or reflection
    converted: bool  # whether the ICC profile asked for other colors than the stored ones
    shrunk: bool  # whether it has fewer pixels than the file
    few_colors: bool  # whether it was decoded to 256 at most, as drawings, screenshots and gray images are


def read_photo(
    file: Path | IO[bytes],
    *,
    parsers: tuple[str, ...] | None = None,
    max_pixels: int | None = None,
    shorter_side_pixels: int | None = None,
) -> Photo:
    """Returns the image in `file`: 8 bits, sRGB, upright. The name of the file does not matter.

    It is turned as EXIF says, and its colors are converted by its ICC profile; damaged EXIF data and profiles count as
    none. Of an animation it is the first frame; 16 bits are scaled to 8; transparency is laid on white. Damage that
    leaves the image whole, such as a missing end marker, does not matter.

    Args:
        file: the file's path, or a file opened to read bytes.
        parsers: formats whose parsers may read the file, for files from strangers; by default all that Pillow knows.
        max_pixels: limit of height times width, checked before decoding; by default Pillow's own, 179 million.
        shorter_side_pixels: an image whose shorter side is larger is shrunk to it; by default none is. The decoder of
            JPEG scales to a half, quarter or eighth by itself, as far as that leaves enough pixels.

    Raises:
        UnreadableError: the file gives no image. The text is the reason, for people.
    """
    _register_heif()
    with _reasons(file, parsers):
        if isinstance(file, Path) and not stat.S_ISREG(file.stat().st_mode):
            raise UnreadableError("not a regular file")
        try:
            return _decode(file, parsers, max_pixels, shorter_side_pixels)
        except (UnreadableError, MemoryError, Image.DecompressionBombError):
            raise
        except Exception:  # decoders raise anything on damaged files
            sound = repaired(_all_bytes(file))
            if sound is None:
                raise
            return _decode(io.BytesIO(sound), parsers, max_pixels, shorter_side_pixels)


@contextlib.contextmanager
def _reasons(file: Path | IO[bytes], parsers: tuple[str, ...] | None) -> Iterator[None]:
    """Raises UnreadableError with a reason for people, whatever a decoder raises."""
    try:
        yield
    except (UnreadableError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableError(_why_unidentified(_all_bytes(file)[:4], parsers)) from None
    except Image.DecompressionBombError as error:
        raise UnreadableError(str(error)) from None
    except Exception as error:
        raise UnreadableError(getattr(error, "strerror", None) or f"damaged: {error}") from error


def count_pixels(file: IO[bytes], parsers: tuple[str, ...] | None = None) -> int:
    """Returns height times width as the header of `file` states them, or 0 if it states none."""
    _register_heif()
    try:
        with Image.open(file, formats=parsers) as image:
            return image.width * image.height
    except Exception:  # decoders raise anything on damaged files; `read_photo` says what is wrong
        return 0


def read_exif(file: Path) -> bytes:
    """Returns the EXIF data of an image file, of which the header is read; empty if there is none, or it is damaged.

    Of a TIFF, whose header it is, nothing is returned.
    """
    _register_heif()
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return b""
        with Image.open(file) as image:
            exif = image.info.get("exif")
    except Exception:  # decoders raise anything on damaged files; `read_photo` says what is wrong
        return b""
    return exif if isinstance(exif, bytes) else b""


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
    if doubt := first_page_doubt(image):
        raise UnreadableError(doubt)


def _decode(
    file: Path | IO[bytes], parsers: tuple[str, ...] | None, max_pixels: int | None, shorter_side_pixels: int | None
) -> Photo:
    with Image.open(file, formats=parsers) as image:
        _check(image, max_pixels)
        size = shrunk_size(image.size, shorter_side_pixels)
        # The decoder holds all of a progressive JPEG at once, whatever it scales to.
        held_pixels = image.width * image.height if "progressive" in image.info else 0
        drafted = image.draft(None, size) if size else None
        with _LARGE if max(held_pixels, image.width * image.height) > _LARGE_PIXELS else contextlib.nullcontext():
            image.load()
            few_colors = _has_few_colors(image)
            # Loading turns a TIFF, and with it the sides.
            size = size if drafted else shrunk_size(image.size, shorter_side_pixels)
            small = _shrunk(image, size, drafted[1][2:] if drafted else image.size) if size else image
            # Only now the colors: the fewer pixels, the sooner.
            rgb, converted = _to_rgb(small, image.info.get("icc_profile"))
        exif = image.info.get("exif")  # not that of TIFF: Pillow turns those itself
        turn = _UPRIGHT.get(orientation(exif)) if isinstance(exif, bytes) else None
        upright = rgb if turn is None else rgb.transpose(turn)
        return Photo(upright, image.format or "", turn is not None, converted, size is not None, few_colors)


def _has_few_colors(image: Image.Image) -> bool:
    return len(image.getbands()) == 1 or image.getcolors(FEW_COLORS) is not None


def _has_sixteen_bits(image: Image.Image) -> bool:
    sixteen_bits = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if image.mode in ("I", "F") and not sixteen_bits:
        raise UnreadableError("32-bit samples: which of them is white is not known")
    return sixteen_bits


def _shrunk(image: Image.Image, size: tuple[int, int], extent: tuple[float, float]) -> Image.Image:
    sixteen_bits = _has_sixteen_bits(image)
    return shrink(image, size, extent, lambda tile: _plain(_in_8_bits(tile) if sixteen_bits else tile))


def _plain(tile: Image.Image) -> Image.Image:
    """Returns the tile with its levels, and its opacity, in place of numbers in a palette."""
    if tile.mode not in ("1", "P", "PA") and "transparency" not in tile.info:
        return tile
    return tile.convert(("L" if tile.mode in ("1", "L") else "RGB") + ("A" if tile.has_transparency_data else ""))


def _to_rgb(image: Image.Image, profile: object) -> tuple[Image.Image, bool]:
    """Returns the image in sRGB, laid on white, and whether its profile changed the colors."""
    sixteen_bits = _has_sixteen_bits(image)
    rgb, converted = Image.new("RGB", image.size), False
    for box in tile_boxes(image.size):
        tile = _in_8_bits(image.crop(box)) if sixteen_bits else image.crop(box)
        tile_rgb, converted = _tile_to_rgb(tile, profile)
        rgb.paste(tile_rgb, box)
    return rgb, converted


def _in_8_bits(tile: Image.Image) -> Image.Image:
    """Scales gray of 16 bits. Pillow's own conversion clips: all but the darkest images turn white."""
    return Image.fromarray(((np.asarray(tile, np.uint32) + 128) // 257).astype(np.uint8))


def _tile_to_rgb(tile: Image.Image, profile: object) -> tuple[Image.Image, bool]:
    try:
        flat = tile.convert("RGBA" if tile.has_transparency_data else "RGB")
    except ValueError:
        raise UnreadableError(f"{tile.mode} colors are not read") from None
    rgb = flat.convert("RGB")
    converted = to_srgb(_as_profiled(tile, rgb), profile) if isinstance(profile, bytes) else None
    result = rgb if converted is None else converted
    if flat.mode == "RGBA":
        result.putalpha(flat.getchannel("A"))
        result = Image.alpha_composite(Image.new("RGBA", tile.size, "white"), result).convert("RGB")
    return result, converted is not None


def _as_profiled(tile: Image.Image, rgb: Image.Image) -> Image.Image:
    """Returns the tile with the channels that its ICC profile is about."""
    if tile.mode in ("1", "L", "LA", "La"):
        return rgb.convert("L")
    return tile if tile.mode in ("CMYK", "LAB") else rgb


def _why_unidentified(first_bytes: bytes, parsers: tuple[str, ...] | None) -> str:
    if parsers is None and first_bytes in (b"II*\0", b"MM\0*"):
        return "a TIFF or camera RAW file of a kind that is not read; export it as JPEG or PNG"
    return "not an image" if first_bytes else "empty file"


def _all_bytes(file: Path | IO[bytes]) -> bytes:
    if isinstance(file, Path):
        return file.read_bytes()
    file.seek(0)
    return file.read()
