"""Image files of every kind that real folders hold, all of one picture, and files that are no images."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin

WIDTH, HEIGHT = 40, 24
ORIENTATION = 0x0112


def picture() -> np.ndarray:
    """uint8 (24, 40, 3): red grows to the right, green downwards, blue is in one corner. Nothing in it is symmetric."""
    across = np.linspace(0, 255, WIDTH)[None].repeat(HEIGHT, 0)
    down = np.linspace(0, 255, HEIGHT)[:, None].repeat(WIDTH, 1)
    corner = np.where((across > 200) & (down < 60), 255, 0)
    return np.stack([across, down, corner], axis=-1).astype(np.uint8)


def grey() -> np.ndarray:
    """uint8 (24, 40, 3): the picture without colours."""
    return np.asarray(Image.fromarray(picture()).convert("L").convert("RGB"))


def _rgb() -> Image.Image:
    return Image.fromarray(picture())


def _grey() -> Image.Image:
    return _rgb().convert("L")


def _sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(_grey()).astype(np.uint16) * 257)


def _transparent_left() -> Image.Image:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    return Image.fromarray(np.dstack([picture(), alpha]))


def _sixteen_bit_rgb_png(file: Path) -> None:
    """Pillow cannot write one."""
    rows = b"".join(b"\0" + row.tobytes() for row in (picture().astype(">u2") * 257))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _written(format_: str, **options: object) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    _rgb().save(file, format_, **({"quality": 95, "subsampling": 0} if format_ == "JPEG" else {}), **options)
    return file.getvalue()


def _with_chunk(chunk: bytes) -> bytes:
    """The picture as a PNG with one more chunk, behind the header."""
    return _written("PNG")[:33] + chunk + _written("PNG")[33:]


def _long_texts(file: Path) -> None:
    """2 MB of text in each of two chunks, as screenshots and editing programs leave it."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("log", "a line\n" * 300_000, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", "<x/>" * 500_000, zip=True)
    file.write_bytes(_written("PNG", pnginfo=texts))


def _pages(small: dict[int, int] | None = None) -> Callable[[Path], None]:
    """A TIFF with a small copy before the picture, marked by these tags, or by none."""
    return lambda file: (
        _rgb()
        .resize((WIDTH // 2, HEIGHT // 2))
        .save(file, "TIFF", save_all=True, append_images=[_rgb()], tiffinfo=small or {})
    )


def _turned(orientation: int) -> Callable[[Path], None]:
    """A JPEG whose pixels lie as a camera held otherwise wrote them, with the EXIF tag that says so."""
    to_stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }

    def write(file: Path) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        _rgb().transpose(to_stored[orientation]).save(file, "JPEG", quality=95, subsampling=0, exif=exif)

    return write


def _animation(kind: str) -> Callable[[Path], None]:
    """The picture, then it upside down."""
    return lambda file: _rgb().save(
        file, kind, save_all=True, append_images=[Image.fromarray(picture()[::-1].copy())], lossless=True
    )


def _truncated(file: Path) -> None:
    _rgb().save(file, "JPEG", quality=95)
    file.write_bytes(file.read_bytes()[:-200])


def _bomb(file: Path) -> None:
    """A small file that says it has 10,000 million pixels."""
    _rgb().save(file, "PNG")
    data = bytearray(file.read_bytes())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    file.write_bytes(bytes(data))


def _heic(file: Path, image: Image.Image) -> None:
    pillow_heif.register_heif_opener()
    image.save(file, "HEIF", quality=-1, chroma=444)


def _turned_heic(file: Path) -> None:
    """As a phone held upright writes it: turned in the container, and again in EXIF data, which no longer counts."""
    stored = _rgb().transpose(Image.Transpose.ROTATE_90)
    stored.getexif()[ORIENTATION] = 6
    _heic(file, stored)


def _damaged_exif(file: Path) -> None:
    _rgb().save(file, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0no TIFF header at all")


# By file name: what writes it, and the pixels that must come of it.
HARMLESS_DAMAGE: dict[str, Callable[[Path], None]] = {
    "no_end.jpg": lambda file: file.write_bytes(_written("JPEG")[:-2]),
    "half_an_end.jpg": lambda file: file.write_bytes(_written("JPEG")[:-1]),
    "no_end_progressive.jpg": lambda file: file.write_bytes(_written("JPEG", progressive=True)[:-2]),
    "bytes_behind_the_end.jpg": lambda file: file.write_bytes(_written("JPEG") + b"\0a camera's own data" * 99),
    "damaged_exif.jpg": _damaged_exif,
    "damaged_profile.jpg": lambda file: file.write_bytes(_written("JPEG", icc_profile=b"not a profile")),
    "damaged_profile.png": lambda file: file.write_bytes(_with_chunk(_chunk(b"iCCP", b"name\0\0not zlib"))),
    "huge_profile.png": lambda file: file.write_bytes(_written("PNG", icc_profile=bytes(2_000_000))),
    "long_texts.png": _long_texts,
    "wrong_checksum.png": lambda file: file.write_bytes(_with_chunk(_chunk(b"tEXt", b"a\0b")[:-1] + b"?")),
    "short_resolution.png": lambda file: file.write_bytes(_with_chunk(_chunk(b"pHYs", b"\0"))),
    "no_end.png": lambda file: file.write_bytes(_written("PNG")[:-12]),
    "bytes_behind_the_end.png": lambda file: file.write_bytes(_written("PNG") + b"more" * 99),
}
COLOUR: dict[str, Callable[[Path], None]] = {
    "plain.png": lambda file: _rgb().save(file),
    "plain.jpg": lambda file: _rgb().save(file, quality=95, subsampling=0),
    "progressive.jpeg": lambda file: _rgb().save(file, quality=95, subsampling=0, progressive=True),
    "cmyk.jpg": lambda file: _rgb().convert("CMYK").save(file, quality=95, subsampling=0),
    "cmyk.tif": lambda file: _rgb().convert("CMYK").save(file),
    "opaque.png": lambda file: _rgb().convert("RGBA").save(file),
    "sixteen_bit_rgb.png": _sixteen_bit_rgb_png,
    "lossless.webp": lambda file: _rgb().save(file, lossless=True),
    "old.bmp": lambda file: _rgb().save(file),
    "scan.tiff": lambda file: _rgb().save(file, compression="tiff_lzw"),
    "pixels.ppm": lambda file: _rgb().save(file),
    "animated.webp": _animation("WEBP"),
    "animated.png": _animation("PNG"),
    "a png called.jpg": lambda file: _rgb().save(file, "PNG"),
    "a jpeg called.png": lambda file: _rgb().save(file, "JPEG", quality=95, subsampling=0),
    "no_suffix": lambda file: _rgb().save(file, "PNG"),
    **HARMLESS_DAMAGE,
    "phone.heic": lambda file: _heic(file, _rgb()),
    "turned.heic": _turned_heic,
    **{f"turned_{orientation}.jpg": _turned(orientation) for orientation in range(2, 9)},
}
FEW_COLOURS: dict[str, Callable[[Path], None]] = {
    "palette.png": lambda file: _rgb().quantize(256).save(file),
    "palette.gif": lambda file: _rgb().quantize(256).save(file),
    "animated.gif": _animation("GIF"),
}
GREY: dict[str, Callable[[Path], None]] = {
    "grey.png": lambda file: _grey().save(file),
    "grey.jpg": lambda file: _grey().save(file, quality=95),
    "grey_alpha.png": lambda file: _grey().convert("LA").save(file),
    "sixteen_bit.png": lambda file: _sixteen_bits().save(file),
    "sixteen_bit.tiff": lambda file: _sixteen_bits().save(file),
    "sixteen_bit.pgm": lambda file: _sixteen_bits().save(file),
}
WHITE_LEFT: dict[str, Callable[[Path], None]] = {
    "transparent.png": lambda file: _transparent_left().save(file),
    "transparent.webp": lambda file: _transparent_left().save(file, lossless=True),
    "transparent_palette.png": lambda file: _transparent_left().quantize(256).save(file),
}
# By file name: what writes it, and a part of the reason.
UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated.jpg": (_truncated, "truncated"),
    "truncated_progressive.jpg": (
        lambda file: file.write_bytes(_written("JPEG", progressive=True)[:-60]),
        "truncated",
    ),
    "empty.jpg": (lambda file: file.write_bytes(b""), "empty file"),
    "text.jpg": (lambda file: file.write_text("This is not a picture."), "not an image"),
    "header.heic": (lambda file: file.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), "not an image"),
    "bomb.png": (_bomb, "exceeds limit"),
    "vector.eps": (lambda file: _rgb().save(file), "EPS files are not read"),
    "heights.tiff": (lambda file: Image.fromarray(picture()[..., 0].astype(np.float32)).save(file), "32-bit samples"),
    "damaged.png": (lambda file: (_rgb().save(file), file.write_bytes(file.read_bytes()[:80])), "truncated"),
    "marked_thumbnail.tiff": (_pages({254: 1}), "its first page is marked as a thumbnail"),
    "formerly_marked_thumbnail.tiff": (_pages({255: 2}), "its first page is marked as a thumbnail"),
    "thumbnail.tiff": (
        _pages(),
        r"its page 2 has 40 x 24 pixels \(width x height\), the first one only 20 x 12; save the page that is meant",
    ),
    "camera.dng": (_pages({254: 1, 50706: b"\1\4\0\0"}), r"a camera RAW file \(DNG\), of which only a preview"),
    "camera.arw": (lambda file: file.write_bytes(b"II*\0\x08\0\0\0" + bytes(6)), "a TIFF or camera RAW file of a kind"),
    "nowhere.png": (lambda file: file.symlink_to("not there"), "No such file"),
    "pipe.png": (os.mkfifo, "not a regular file"),
    "itself.png": (lambda file: file.symlink_to(file.name), "symbolic links"),
}
