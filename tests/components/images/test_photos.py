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


READABLE = odd_images.COLOUR | odd_images.FEW_COLOURS | odd_images.GREY | odd_images.WHITE_LEFT


@pytest.mark.parametrize("name", READABLE)
def test_shrinks_whatever_it_reads(tmp_path: Path, name: str) -> None:
    READABLE[name](tmp_path / name)
    photo, full = read_photo(tmp_path / name, shorter_side_pixels=12), read_photo(tmp_path / name)
    assert photo.shrunk
    assert not full.shrunk
    assert (photo.format, photo.turned, photo.converted) == (full.format, full.turned, full.converted)
    assert photo.pixels.info == {}
    expected = full.pixels.resize((20, 12), Image.Resampling.HAMMING)
    difference = np.abs(np.asarray(photo.pixels).astype(int) - np.asarray(expected))
    assert difference.mean() < 2


@pytest.mark.parametrize("format_", ["JPEG", "MPO"])
@pytest.mark.parametrize("shorter_side", [100, 125, 126, 499])
def test_a_decoder_that_scales_moves_nothing(format_: str, shorter_side: int) -> None:
    """1000 x 500 pixels, also through an eighth and a quarter."""
    ramp = np.linspace(0, 255, 1001)[None, :, None].repeat(501, 0).repeat(3, 2).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, format_, quality=95)
    pixels = np.asarray(read_photo(file, shorter_side_pixels=shorter_side).pixels)
    assert min(pixels.shape[:2]) == shorter_side
    width = pixels.shape[1]
    np.testing.assert_allclose(pixels[:, 2:-2].mean((0, 2)), (np.arange(2.5, width - 2) / width * 255), atol=1.5)


def test_what_is_small_enough_stays(tmp_path: Path) -> None:
    odd_images.COLOUR["plain.jpg"](tmp_path / "plain.jpg")
    photo, full = read_photo(tmp_path / "plain.jpg", shorter_side_pixels=24), read_photo(tmp_path / "plain.jpg")
    assert not photo.shrunk
    np.testing.assert_array_equal(np.asarray(photo.pixels), np.asarray(full.pixels))


@pytest.mark.parametrize("name", ["truncated.jpg", "truncated_progressive.jpg", "damaged.png", "heights.tiff"])
def test_damage_is_found_in_what_is_shrunk(tmp_path: Path, name: str) -> None:
    write, reason = odd_images.UNREADABLE[name]
    write(tmp_path / name)
    with pytest.raises(UnreadableError, match=reason):
        read_photo(tmp_path / name, shorter_side_pixels=3)


def test_counts_the_colors_of_the_file_and_not_of_what_is_left() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::3], stripes[::5] = (250, 20, 20), (10, 200, 90)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for pixels, has_few in ((stripes, True), (noise, False)):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        assert read_photo(file, shorter_side_pixels=31).few_colors == has_few


MEASURE = """
import resource, sys
from pathlib import Path
from components.images.photos import read_photo
side = int(sys.argv[3]) if sys.argv[3:] else None
read_photo(Path(sys.argv[1]), shorter_side_pixels=side)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_photo(Path(sys.argv[2]), shorter_side_pixels=side)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024))
"""


def bytes_taken(folder: Path, mode: str, side: int, *shorter_side: str) -> int:
    """By reading a plain image, in a process of its own."""
    for name, pixels in (("small.png", 8), ("large.png", side)):
        Image.new(mode, (pixels, pixels)).save(folder / name)
    command = [sys.executable, "-c", MEASURE, folder / "small.png", folder / "large.png", *shorter_side]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout)


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_a_conversion_takes_no_more_memory_than_its_result(tmp_path: Path, mode: str) -> None:
    side = 4000
    taken = bytes_taken(tmp_path, mode, side)
    assert taken < 2.4 * 4 * side * side  # Pillow keeps four bytes for each pixel, of what it reads and of the result


@pytest.mark.parametrize(("mode", "pixel_bytes"), [("RGBA", 4), ("P", 1), ("I;16", 2)])
def test_shrinking_takes_little_more_memory_than_the_decoded_image(tmp_path: Path, mode: str, pixel_bytes: int) -> None:
    side = 6000
    assert bytes_taken(tmp_path, mode, side, "512") < 1.1 * pixel_bytes * side * side + 40e6
