"""TensorFlow's operations decode what `read_photo` reads: the same pixels, and of a JPEG nearly the same."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.images.decode_graph import decode_on_white, decode_upright, turn_upright
from components.images.exif import ORIENTATION
from components.images.photos import read_photo
from tests.components.ingest import odd_images

RANDOM = np.random.default_rng(0)
RGBA = RANDOM.integers(0, 256, (17, 26, 4), np.uint8)
SIXTEEN_BITS = RANDOM.integers(0, 65536, (17, 26, 4), np.uint16)
ALPHA_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # channels by the color type of a PNG


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def in_graph(data: tf.Tensor) -> tf.Tensor:
    return decode_upright(data)


def decoded(data: bytes) -> np.ndarray:
    return in_graph(tf.constant(data)).numpy().astype(int)


def read(data: bytes) -> np.ndarray:
    return np.asarray(read_photo(io.BytesIO(data)).pixels).astype(int)


def file(image: Image.Image, format_: str, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, format_, **options)
    return written.getvalue()


def sixteen_bit_png(color_type: int) -> bytes:
    """Pillow writes none but gray ones."""
    pixels = SIXTEEN_BITS[..., : ALPHA_CHANNELS[color_type]].astype(">u2")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, color_type, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


COLORS = Image.fromarray(RGBA[..., :3])
GRAY = Image.fromarray(RGBA[..., 0])
EXACT: dict[str, Callable[[], bytes]] = {
    "RGB": lambda: file(COLORS, "PNG"),
    "RGB with opacity": lambda: file(Image.fromarray(RGBA), "PNG"),
    "RGB with a transparent color": lambda: file(COLORS, "PNG", transparency=tuple(map(int, RGBA[3, 4, :3]))),
    "gray": lambda: file(GRAY, "PNG"),
    "gray with opacity": lambda: file(Image.merge("LA", [GRAY, Image.fromarray(RGBA[..., 3])]), "PNG"),
    "gray with a transparent level": lambda: file(GRAY, "PNG", transparency=int(RGBA[3, 4, 0])),
    "palette": lambda: file(COLORS.quantize(200), "PNG"),
    "palette of 4 bits": lambda: file(COLORS.quantize(9), "PNG"),
    "palette with opacity": lambda: file(Image.fromarray(RGBA).quantize(200), "PNG"),
    "palette with a transparent color": lambda: file(COLORS.quantize(9), "PNG", transparency=2),
    "1 bit": lambda: file(GRAY.convert("1"), "PNG"),
    "1 bit with a transparent level": lambda: file(GRAY.convert("1"), "PNG", transparency=0),
    **{f"16 bits, color type {color_type}": lambda t=color_type: sixteen_bit_png(t) for color_type in ALPHA_CHANNELS},
    "BMP": lambda: file(COLORS, "BMP"),
    "BMP of 32 bits": lambda: file(Image.fromarray(RGBA), "BMP"),
    "gray BMP": lambda: file(GRAY, "BMP"),
    "BMP with a palette": lambda: file(COLORS.quantize(200), "BMP"),
    "GIF": lambda: file(COLORS.quantize(200), "GIF"),
    "transparent GIF": lambda: file(COLORS.quantize(9), "GIF", transparency=2),
    "transparent animation": lambda: file(
        COLORS.quantize(9),
        "GIF",
        transparency=2,
        save_all=True,
        append_images=[GRAY.quantize(9)],
        comment=b"!\xf9\x04" * 300,
        loop=0,
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_all_but_jpeg_is_exact(name: str) -> None:
    data = EXACT[name]()
    np.testing.assert_array_equal(decoded(data), read(data))


@pytest.mark.parametrize("name", ["RGB with opacity", "palette with a transparent color", "transparent GIF"])
def test_the_samples_hold_what_they_are_about(name: str) -> None:
    data = EXACT[name]()
    dropped = tf.io.decode_image(data, channels=3, expand_animations=False).numpy().astype(int)
    assert np.abs(decoded(data) - dropped).max() > 50


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["RGB", "RGB with opacity", "palette", "16 bits, color type 0"])
def test_a_png_of_every_orientation_is_exact(name: str, orientation: int) -> None:
    with Image.open(io.BytesIO(EXACT[name]())) as image:
        image.load()
    data = file(image, "PNG", exif=exif_of(orientation))
    assert decoded(data).shape == ((26, 17, 3) if orientation >= 5 else (17, 26, 3))
    np.testing.assert_array_equal(decoded(data), read(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_of_every_orientation_is_turned(mode: str, orientation: int) -> None:
    image = Image.fromarray(odd_images.picture()).convert(mode)
    data = file(image, "JPEG", quality=95, subsampling=0, exif=exif_of(orientation))
    np.testing.assert_allclose(decoded(data), read(data), atol=8)
    assert np.abs(decoded(data) - read(data)).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow(orientation: int) -> None:
    data = file(COLORS, "PNG", exif=exif_of(orientation))
    np.testing.assert_array_equal(turn_upright(tf.constant(RGBA[..., :3]), tf.constant(orientation)), read(data))


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_damaged_exif_data_means_as_stored(format_: str, exif: bytes) -> None:
    data = file(COLORS, format_, exif=exif)
    np.testing.assert_allclose(decoded(data), decoded(file(COLORS, format_)))
    np.testing.assert_allclose(read(data), read(file(COLORS, format_)))


def test_exif_data_behind_the_pixels_of_a_png_counts() -> None:
    data = file(COLORS, "PNG", exif=exif_of(6))
    start = data.index(b"eXIf") - 4
    stop = start + 12 + int.from_bytes(data[start : start + 4], "big")
    moved = data[:start] + data[stop:-12] + data[start:stop] + data[-12:]
    np.testing.assert_array_equal(decoded(moved), decoded(data))
    np.testing.assert_array_equal(read(moved), read(data))


@pytest.mark.parametrize(
    "name", [*odd_images.COLOUR, *odd_images.FEW_COLOURS, *odd_images.GREY, *odd_images.WHITE_LEFT]
)
def test_odd_files_are_read_likewise(tmp_path: Path, name: str) -> None:
    groups = odd_images.COLOUR | odd_images.FEW_COLOURS | odd_images.GREY | odd_images.WHITE_LEFT
    groups[name](tmp_path / name)
    photo = read_photo(tmp_path / name)
    if photo.format not in ("JPEG", "PNG", "GIF", "BMP") or photo.converted or name in odd_images.HARMLESS_DAMAGE:
        pytest.skip("TensorFlow does not decode it")
    np.testing.assert_allclose(decoded((tmp_path / name).read_bytes()), np.asarray(photo.pixels).astype(int), atol=8)


def test_stored_images_can_be_decoded_without_turning() -> None:
    data = tf.constant(file(Image.fromarray(RGBA), "PNG", exif=exif_of(6)))
    np.testing.assert_array_equal(decode_on_white(data), read(file(Image.fromarray(RGBA), "PNG")))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"not an image"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(data)
