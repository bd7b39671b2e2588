"""What readers of strangers' files ask for; every kind of file is in tests/components/ingest/test_decode.py."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.images.photos import UnreadableError, count_pixels, read_photo
from tests.components.ingest import odd_images

REPOSITORY = Path(__file__).parents[3]


def test_reads_what_is_in_memory(tmp_path: Path) -> None:
    odd_images.COLOUR["turned_6.jpg"](tmp_path / "turned.jpg")
    photo = read_photo(io.BytesIO((tmp_path / "turned.jpg").read_bytes()))
    assert photo.turned
    assert photo.format == "JPEG"
    assert np.abs(np.asarray(photo.pixels).astype(int) - odd_images.picture()).mean() < 4


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty file"), (b"<svg xmlns='...'/>", "not an image")])
def test_says_why_bytes_are_no_image(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read_photo(io.BytesIO(data))


def test_other_parsers_see_nothing(tmp_path: Path) -> None:
    odd_images.COLOUR["scan.tiff"](tmp_path / "scan.tiff")
    assert read_photo(tmp_path / "scan.tiff").format == "TIFF"
    with pytest.raises(UnreadableError, match="not an image"):
        read_photo(tmp_path / "scan.tiff", parsers=("JPEG", "PNG"))


def test_more_pixels_than_asked_for_are_not_decoded(tmp_path: Path) -> None:
    odd_images.COLOUR["plain.png"](tmp_path / "plain.png")
    assert read_photo(tmp_path / "plain.png", max_pixels=960).pixels.size == (40, 24)
    with pytest.raises(UnreadableError, match=r"40 x 24 pixels \(width x height\); at most 959 are read"):
        read_photo(tmp_path / "plain.png", max_pixels=959)


def test_counts_pixels_without_decoding_them(tmp_path: Path) -> None:
    odd_images.UNREADABLE["truncated.jpg"][0](tmp_path / "truncated.jpg")
    assert count_pixels(io.BytesIO((tmp_path / "truncated.jpg").read_bytes())) == 960
    assert count_pixels(io.BytesIO((tmp_path / "truncated.jpg").read_bytes()), ("PNG",)) == 0
    assert count_pixels(io.BytesIO(b"no image")) == 0


@pytest.mark.parametrize("size", [(2100, 1500), (1_500_000, 2), (2, 1_500_000)])
def test_what_is_converted_in_tiles_has_no_seams(tmp_path: Path, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "noise.png", compress_level=0)
    white = Image.new("RGBA", size, "white")
    expected = np.asarray(Image.alpha_composite(white, image).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(read_photo(tmp_path / "noise.png").pixels), expected)


MEASURE = """
import resource, sys
from pathlib import Path
from components.images.photos import read_photo
read_photo(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_photo(Path(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_a_conversion_takes_no_more_memory_than_its_result(tmp_path: Path, mode: str) -> None:
    side = 4000
    for name, pixels in (("small.png", 8), ("large.png", side)):
        Image.new(mode, (pixels, pixels)).save(tmp_path / name)
    command = [sys.executable, "-c", MEASURE, tmp_path / "small.png", tmp_path / "large.png"]
    taken = int(subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout)
    assert taken < 2.4 * 4 * side * side  # Pillow keeps four bytes for each pixel, of what it reads and of the result
