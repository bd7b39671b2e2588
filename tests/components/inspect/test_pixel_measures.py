from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from components.inspect.pixel_measures import WORKING_SIDE_PIXELS, PixelMeasures, measure


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random levels at all scales, as photos have them."""
    random, levels = np.random.default_rng(seed), np.zeros((height, width))
    for side in (2, 4, 8, 16, 32, 64, 128):
        coarse = Image.fromarray(random.normal(size=(side, side)).astype(np.float32))
        levels += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) * 2 / side**0.5
    scaled = 128 + 45 * (levels - levels.mean()) / levels.std()
    return np.repeat(np.clip(scaled, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def blurred(image: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


@pytest.mark.parametrize(("level", "brightness"), [(0, 0.0), (255, 1.0), (128, 128 / 255)])
def test_one_color(level: int, brightness: float) -> None:
    found = measure(np.full((40, 50, 3), level, np.uint8))
    assert found == pytest.approx(PixelMeasures(brightness, 0, 0, 1, 1.25), abs=1e-5)


def test_brightness_is_weighted_as_eyes_do() -> None:
    green, blue = np.zeros((2, 8, 8, 3), np.uint8)
    green[..., 1], blue[..., 2] = 255, 255
    assert measure(green).brightness == pytest.approx(0.587, abs=1e-3)
    assert measure(blue).brightness == pytest.approx(0.114, abs=1e-3)


def test_contrast_is_half_for_black_and_white() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[10:] = 255
    assert measure(image).contrast == pytest.approx(0.5)


def test_blur_lowers_the_sharpness_whatever_the_size() -> None:
    for side in (64, WORKING_SIDE_PIXELS, 4 * WORKING_SIDE_PIXELS):
        image = texture(side, side)
        radius = 3 * max(side / WORKING_SIDE_PIXELS, 1)
        assert measure(blurred(image, radius)).sharpness < 0.1 * measure(image).sharpness


def test_contrast_and_brightness_do_not_change_the_sharpness() -> None:
    image = texture(100, 100)
    assert measure(60 + image // 2).sharpness == pytest.approx(measure(image).sharpness, rel=0.1)


def test_a_large_image_is_measured_like_the_same_one_small() -> None:
    large = texture(512, 640)
    small = np.asarray(Image.fromarray(large).resize((160, 128), Image.Resampling.BOX))
    np.testing.assert_allclose(measure(large), measure(small), rtol=0.05, atol=0.01)


def test_the_commonest_color_may_vary_a_little_and_lie_between_coarse_ones() -> None:
    image = np.random.default_rng(0).integers(123, 134, (50, 50, 3)).astype(np.uint8)  # around 128, a bound of 32s
    assert measure(image).commonest_color_fraction == 1
    image[:10] = 250
    assert measure(image).commonest_color_fraction == pytest.approx(0.8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (2, 2), (3000, 1), (20, 9000), (9000, 1000)], ids=str)
def test_every_shape_has_finite_measures(shape: tuple[int, int]) -> None:
    found = measure(np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8))
    assert np.isfinite(found).all()
    assert found.aspect_ratio == max(shape) / min(shape)


def test_an_image_that_must_not_be_written_to() -> None:
    image = texture(30, 30)
    image.setflags(write=False)
    before = image.copy()
    measure(image)
    np.testing.assert_array_equal(image, before)
