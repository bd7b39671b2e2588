"""Each odd file of `odd_images` gives the right pixels, through TensorFlow's decoder, or the right reason."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from benchmarks.ingest import draw, jpeg
from components.images.decode_graph import decode_upright
from components.images.photos import UnreadableError, read_photo
from components.images.resize import crop_and_resize
from components.ingest.decode import read_image
from tests.components.images import icc_profiles
from tests.components.ingest import odd_images


def decoded(file: Path) -> np.ndarray:
    """As training will see it."""
    image = read_image(file)
    pixels = tf.io.decode_image(image.data, channels=3).numpy()
    assert pixels.shape == (image.height, image.width, 3)
    return pixels.astype(int)


@pytest.mark.parametrize("name", odd_images.COLOUR)
def test_reads_colours(tmp_path: Path, name: str) -> None:
    odd_images.COLOUR[name](tmp_path / name)
    np.testing.assert_allclose(decoded(tmp_path / name), odd_images.picture(), atol=24)
    assert np.abs(decoded(tmp_path / name) - odd_images.picture()).mean() < 4


@pytest.mark.parametrize("name", odd_images.FEW_COLOURS)
def test_reads_palettes(tmp_path: Path, name: str) -> None:
    odd_images.FEW_COLOURS[name](tmp_path / name)
    assert np.abs(decoded(tmp_path / name) - odd_images.picture()).mean() < 8


@pytest.mark.parametrize("name", odd_images.GREY)
def test_reads_grey_and_scales_sixteen_bits(tmp_path: Path, name: str) -> None:
    odd_images.GREY[name](tmp_path / name)
    np.testing.assert_allclose(decoded(tmp_path / name), odd_images.grey(), atol=10)


@pytest.mark.parametrize("name", odd_images.WHITE_LEFT)
def test_lays_transparent_images_on_white(tmp_path: Path, name: str) -> None:
    odd_images.WHITE_LEFT[name](tmp_path / name)
    pixels, half = decoded(tmp_path / name), odd_images.WIDTH // 2
    assert (pixels[:, :half] == 255).all()
    assert np.abs(pixels[:, half:] - odd_images.picture()[:, half:]).mean() < 8


@pytest.mark.parametrize("name", odd_images.UNREADABLE)
def test_says_why_a_file_cannot_be_read(tmp_path: Path, name: str) -> None:
    write, reason = odd_images.UNREADABLE[name]
    write(tmp_path / name)
    with pytest.raises(UnreadableError, match=reason):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["plain.png", "plain.jpg", "progressive.jpeg", "opaque.png", "a png called.jpg"])
def test_keeps_the_bytes_of_what_needs_no_change(tmp_path: Path, name: str) -> None:
    odd_images.COLOUR[name](tmp_path / name)
    assert read_image(tmp_path / name).data == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_keeps_the_bytes_of_srgb_and_converts_other_colors(tmp_path: Path, format_: str) -> None:
    """Muted colors: in JPEG they differ less than decoders may."""
    file, pixels = tmp_path / "file", np.full((16, 16, 3), (90, 100, 95), np.uint8)
    for profile in (icc_profiles.srgb(), icc_profiles.srgb_by_another_name(), b"damaged"):
        Image.fromarray(pixels).save(file, format_, icc_profile=profile)
        assert read_image(file).data == file.read_bytes()
    Image.fromarray(pixels).save(file, format_, icc_profile=icc_profiles.display_p3())
    np.testing.assert_allclose(decoded(file), icc_profiles.p3_to_srgb(pixels), atol=2)
    with Image.open(io.BytesIO(read_image(file).data)) as stored:
        assert stored.format == "PNG"
        assert "icc_profile" not in stored.info


def stored_as(file: Path, shorter_side_pixels: int | None) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(read_image(file, shorter_side_pixels).data)) as stored:
        return stored.format, stored.size


@pytest.mark.parametrize(
    ("name", "in_full", "kept_small", "shrunk"),
    [
        ("plain.jpg", "JPEG", "JPEG", "JPEG"),
        ("turned_6.jpg", "PNG", "JPEG", "JPEG"),
        ("phone.heic", "PNG", "JPEG", "JPEG"),
        ("lossless.webp", "PNG", "JPEG", "JPEG"),
        ("grey.jpg", "JPEG", "JPEG", "JPEG"),
        ("plain.png", "PNG", "PNG", "JPEG"),
        ("scan.tiff", "PNG", "PNG", "JPEG"),
        ("old.bmp", "PNG", "PNG", "JPEG"),
        ("palette.png", "PNG", "PNG", "PNG"),
        ("palette.gif", "PNG", "PNG", "PNG"),
        ("grey.png", "PNG", "PNG", "PNG"),
        ("sixteen_bit.tiff", "PNG", "PNG", "PNG"),
    ],
)
def test_photos_become_jpeg_and_drawings_png(
    tmp_path: Path, name: str, in_full: str, kept_small: str, shrunk: str
) -> None:
    (odd_images.COLOUR | odd_images.FEW_COLOURS | odd_images.GREY)[name](tmp_path / name)
    assert stored_as(tmp_path / name, None) == (in_full, (40, 24))
    assert stored_as(tmp_path / name, 24) == (kept_small, (40, 24))
    assert stored_as(tmp_path / name, 12) == (shrunk, (20, 12))


@pytest.mark.parametrize("name", odd_images.COLOUR)
def test_what_loses_little_keeps_its_colors(tmp_path: Path, name: str) -> None:
    odd_images.COLOUR[name](tmp_path / name)
    pixels = tf.io.decode_image(read_image(tmp_path / name, 24).data, channels=3).numpy()
    assert np.abs(pixels.astype(int) - odd_images.picture()).mean() < 4


@pytest.mark.parametrize("name", ["plain.png", "plain.jpg", "progressive.jpeg", "opaque.png", "a png called.jpg"])
def test_keeps_the_bytes_of_what_is_small_enough(tmp_path: Path, name: str) -> None:
    odd_images.COLOUR[name](tmp_path / name)
    assert read_image(tmp_path / name, 24).data == (tmp_path / name).read_bytes()


def class_image(pixels: object, side: int) -> np.ndarray:
    return crop_and_resize(tf.convert_to_tensor(pixels), side, side).numpy().astype(int)


def test_networks_see_the_same_in_what_is_stored(tmp_path: Path) -> None:
    """Of 12 megapixels, as `predict` and the graph's signature for files see them, and as training sees what is left.

    The graph does not read profiles, so that the photo has one only for `predict`.
    """
    image, file = draw(0), tmp_path / "photo.jpg"
    for is_p3 in (True, False):
        file.write_bytes(jpeg(image, is_sideways=True, is_p3=is_p3))
        stored = tf.io.decode_image(read_image(file, 512).data, channels=3)
        assert stored.shape == (512, 682, 3)
        full = np.asarray(read_photo(file).pixels) if is_p3 else decode_upright(tf.constant(file.read_bytes()))
        for side, most in ((224, 3.0), (64, 2.0)):
            assert np.abs(class_image(stored, side) - class_image(full, side)).mean() < most


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "archive.jpg").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(UnreadableError, match=r"3.2 GB; files of at most 2.1 GB are read"):
        read_image(tmp_path / "archive.jpg")


def test_what_was_read_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, bytes]] = []
    photo, text = tmp_path / "photo.png", tmp_path / "text.png"
    odd_images.COLOUR["plain.png"](photo)
    text.write_bytes(b"no image")
    for file in (photo, text):
        with contextlib.suppress(UnreadableError):
            read_image(file, note=lambda status, data: told.append((status.st_mtime_ns, data)))
    assert told == [(file.stat().st_mtime_ns, file.read_bytes()) for file in (photo, text)]


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert decoded(tmp_path / "dot.png").tolist() == [[[1, 2, 3]]]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_damage_raises_anything_else(tmp_path: Path) -> None:
    """Bytes changed at random: an image or a reason, never another exception."""
    random = np.random.default_rng(0)
    for name in ("plain.png", "plain.jpg", "scan.tiff", "animated.webp", "old.bmp", "turned_6.jpg", "phone.heic"):
        odd_images.COLOUR[name](tmp_path / name)
        sound = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        for _ in range(20):
            damaged = sound.copy()
            damaged[random.integers(0, len(sound), 8)] = random.integers(0, 256, 8)
            (tmp_path / "damaged").write_bytes(damaged.tobytes())
            with contextlib.suppress(UnreadableError):
                assert decoded(tmp_path / "damaged").ndim == 3
