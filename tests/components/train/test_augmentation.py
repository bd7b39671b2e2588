from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.train.augmentation import augment, draw, shrink


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 12, 10, 3), dtype=np.uint8)


def _augment(images: np.ndarray, mirrored: bool, seed: int = 0, padding: int = 0, cutout: int = 0) -> np.ndarray:
    which = tf.fill((len(images),), mirrored)
    draws = draw(*images.shape[:3], tf.constant((seed, 1)), padding, cutout)
    return augment(tf.constant(images), which, draws, cutout).numpy()


def test_nothing_asked_for_changes_nothing(images: np.ndarray) -> None:
    np.testing.assert_array_equal(_augment(images, mirrored=False), images)


def test_mirrored_images_are_reversed_left_to_right(images: np.ndarray) -> None:
    np.testing.assert_array_equal(_augment(images, mirrored=True), images[:, :, ::-1])


@pytest.mark.parametrize("mirrored", [False, True])
def test_each_crop_is_one_of_the_padded_image(images: np.ndarray, mirrored: bool) -> None:
    crops = _augment(images, mirrored, padding=2)

    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    # A shift by s of a mirrored image is the mirror image of a shift by -s: the same 25 crops.
    crops = crops[:, :, ::-1] if mirrored else crops
    found = [
        [(top, left) for top in range(5) for left in range(5) if _same(crop, source[top : top + 12, left : left + 10])]
        for crop, source in zip(crops, padded, strict=True)
    ]
    assert all(len(places) == 1 for places in found)
    assert len({places[0] for places in found}) > 5


def test_the_seed_decides(images: np.ndarray) -> None:
    first, again, other = (_augment(images, False, seed, padding=2, cutout=4) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not _same(first, other)


def test_a_square_is_blanked_in_each_image() -> None:
    black = np.zeros((8, 12, 10, 3), np.uint8)

    grey = _augment(black, mirrored=False, cutout=4)[..., 0] == 127.5

    assert (grey.sum(axis=(1, 2)) == 16).all()
    assert (grey.any(axis=1).sum(axis=1) == 4).all()
    assert (grey.any(axis=2).sum(axis=1) == 4).all()


def test_at_half_the_size_a_pixel_is_the_mean_of_four(images: np.ndarray) -> None:
    pixels = images.astype(np.float32)

    half = shrink(tf.constant(pixels), 0.5).numpy()

    np.testing.assert_allclose(half, pixels.reshape(16, 6, 2, 5, 2, 3).mean(axis=(2, 4)), rtol=1e-5)
    assert shrink(tf.constant(pixels), 0.75).shape == (16, 9, 8, 3)
    np.testing.assert_array_equal(shrink(tf.constant(pixels), 1.0), pixels)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())
