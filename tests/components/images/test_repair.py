"""What is cut off a file is forgiven only if no pixel goes with it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from components.images.photos import UnreadableError, read_photo
from components.images.repair import repaired
from tests.components.ingest import odd_images

NOISE = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)


def read(data: bytes) -> np.ndarray:
    return np.asarray(read_photo(io.BytesIO(data)).pixels)


def readable_cuts(data: bytes) -> Iterator[int]:
    """The numbers of bytes that can be cut off, of which each must leave all pixels."""
    whole = read(data)
    for cut in range(1, len(data)):
        try:
            pixels = read(data[:-cut])
        except UnreadableError:
            continue
        np.testing.assert_array_equal(pixels, whole, err_msg=f"{cut} bytes cut off")
        yield cut


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("pixels", [odd_images.picture(), NOISE], ids=["smooth", "noise"])
def test_a_jpeg_may_lack_its_end_marker_alone(pixels: np.ndarray, progressive: bool) -> None:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, progressive=progressive)
    assert list(readable_cuts(file.getvalue())) == [1, 2]


def test_a_png_may_lack_what_follows_the_last_row() -> None:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "PNG")
    cuts = list(readable_cuts(file.getvalue()))
    assert set(range(1, 13)) <= set(cuts)  # the chunk IEND
    assert max(cuts) < 30


def test_a_png_keeps_what_changes_its_pixels() -> None:
    image = Image.fromarray(odd_images.picture()).quantize(9)
    exif, file = Image.Exif(), io.BytesIO()
    exif[odd_images.ORIENTATION] = 6
    image.save(file, "PNG", transparency=2, exif=exif, dpi=(72, 72), icc_profile=b"a profile")
    sound = repaired(file.getvalue())
    assert sound is not None
    for kind in (b"PLTE", b"tRNS", b"eXIf", b"iCCP"):
        assert kind in sound
    assert b"pHYs" in file.getvalue()
    assert b"pHYs" not in sound
    np.testing.assert_array_equal(read(sound), read(file.getvalue()))


def test_other_files_are_not_repaired() -> None:
    assert repaired(b"GIF89a") is None
    assert repaired(b"") is None
    assert repaired(b"\xff\xd8\xff") is None
