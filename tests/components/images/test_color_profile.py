"""What the ICC profile of a file does to its colors, and what a damaged one does not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from components.images.photos import Photo, read_photo
from tests.components.images import icc_profiles

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


def read(image: Image.Image, format_: str, profile: bytes | None) -> Photo:
    file = io.BytesIO()
    image.save(file, format_, icc_profile=profile, **({"lossless": True} if format_ == "WEBP" else {}))
    return read_photo(file)


def pixels(photo: Photo) -> np.ndarray:
    return np.asarray(photo.pixels).astype(int)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_colors_of_a_phone_become_srgb(format_: str) -> None:
    photo = read(Image.fromarray(PIXELS), format_, icc_profiles.display_p3())
    assert photo.converted
    np.testing.assert_allclose(pixels(photo), icc_profiles.p3_to_srgb(PIXELS), atol=2)
    assert np.abs(pixels(photo) - PIXELS.astype(int)).max() > 20
    assert photo.pixels.info == {}  # or whoever stores it would store the old profile with the new colors


def test_colors_of_a_jpeg_become_srgb() -> None:
    (stored,) = {tuple(color) for color in np.full((1, 3), (0, 200, 0), np.uint8)}
    photo = read(Image.new("RGB", (16, 16), stored), "JPEG", icc_profiles.display_p3())
    assert photo.converted
    np.testing.assert_allclose(pixels(photo)[8, 8], icc_profiles.p3_to_srgb(np.array(stored)), atol=3)


def test_white_gray_and_black_stay() -> None:
    grays = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    np.testing.assert_allclose(pixels(read(Image.fromarray(grays), "PNG", icc_profiles.display_p3())), grays, atol=1)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_gray_that_is_shrunk_is_converted_too(mode: str) -> None:
    level = np.full((40, 40), 128, np.uint8)
    image = Image.fromarray(level.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(level).convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG", icc_profile=icc_profiles.mac_gray())
    photo, full = read_photo(file, shorter_side_pixels=10), read_photo(file)
    assert photo.converted
    np.testing.assert_array_equal(pixels(photo), pixels(full)[:10, :10])


@pytest.mark.parametrize("profile", [icc_profiles.srgb, icc_profiles.srgb_by_another_name])
def test_srgb_changes_nothing(profile: Callable[[], bytes]) -> None:
    photo = read(Image.fromarray(PIXELS), "PNG", profile())
    assert not photo.converted
    np.testing.assert_array_equal(pixels(photo), PIXELS)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_gray_is_converted_by_a_profile_for_gray(mode: str) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    image = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(ramp).convert(mode)
    photo = read(image, "PNG", icc_profiles.mac_gray())
    linear = (ramp / 255) ** 1.8
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(pixels(photo), expected[..., None].repeat(3, 2), atol=2)


def test_gray_may_have_a_profile_for_rgb() -> None:
    photo = read(Image.fromarray(PIXELS[..., 0]), "PNG", icc_profiles.display_p3())
    np.testing.assert_allclose(pixels(photo), PIXELS[..., :1].repeat(3, 2), atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_opacity_and_palettes_keep_their_part(mode: str) -> None:
    opacity = np.zeros((24, 40, 1), np.uint8)
    opacity[:, 20:] = 255
    image = Image.fromarray(np.concatenate([PIXELS, opacity], axis=-1))
    image = image.quantize(250) if mode == "P" else image
    stored = np.asarray(image.convert("RGBA"))
    photo = read(image, "PNG", icc_profiles.display_p3())
    assert (pixels(photo)[:, :20] == 255).all()
    np.testing.assert_allclose(pixels(photo)[:, 20:], icc_profiles.p3_to_srgb(stored[:, 20:, :3]), atol=2)


def test_a_large_image_is_converted_everywhere() -> None:
    """Larger than the tiles that are converted one by one."""
    photo = read(Image.new("RGB", (1100, 1000), (0, 200, 0)), "PNG", icc_profiles.display_p3())
    assert len(photo.pixels.getcolors()) == 1
    assert photo.pixels.getpixel((0, 0)) != (0, 200, 0)


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile at all",
        icc_profiles.display_p3()[:200],
        icc_profiles.display_p3()[:128] + b"\xff" * 400,
        icc_profiles.mac_gray(),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["text", "truncated", "damaged", "for gray", "for LAB"],
)
def test_an_unusable_profile_counts_as_none(profile: bytes) -> None:
    photo = read(Image.fromarray(PIXELS), "PNG", profile)
    assert not photo.converted
    np.testing.assert_array_equal(pixels(photo), PIXELS)


def test_cmyk_with_a_profile_for_rgb_is_read_as_without() -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    expected = pixels(read(image, "TIFF", None))
    np.testing.assert_array_equal(pixels(read(image, "TIFF", icc_profiles.display_p3())), expected)
