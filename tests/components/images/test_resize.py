from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.images.resize import crop_and_resize


def smooth(height: int, width: int) -> np.ndarray:
    """uint8 (height, width, 3), different in each channel and without symmetry."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    channels = [np.sin(7 * down + 3 * across), np.cos(5 * across - down), np.sin(4 * down * across)]
    return np.round((np.stack(channels, axis=-1) + 1) * 127.5).astype(np.uint8)


def reference(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's resize of the centred window with the target's aspect ratio: bilinear, antialiased."""
    scale = min(image.shape[0] / height, image.shape[1] / width)
    window_height, window_width = round(height * scale), round(width * scale)
    top, left = (image.shape[0] - window_height) // 2, (image.shape[1] - window_width) // 2
    box = (left, top, left + window_width, top + window_height)
    return np.asarray(Image.fromarray(image).crop(box).resize((width, height), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((64, 64), (32, 32)),
        ((100, 64), (32, 32)),
        ((64, 101), (32, 32)),
        ((480, 640), (224, 224)),
        ((37, 53), (32, 48)),
        ((31, 90), (10, 40)),
        ((16, 16), (32, 32)),
        ((20, 50), (32, 32)),
    ],
)
def test_agrees_with_pillow(size: tuple[int, int], target: tuple[int, int]) -> None:
    image = smooth(*size)
    resized = crop_and_resize(tf.constant(image), *target).numpy()
    assert resized.dtype == np.uint8
    np.testing.assert_allclose(resized.astype(int), reference(image, *target), atol=1)


def test_an_image_of_the_right_size_is_untouched() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    np.testing.assert_array_equal(crop_and_resize(tf.constant(noise), 32, 48), noise)


def test_cropping_alone_is_exact() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 50, 3), np.uint8)
    np.testing.assert_array_equal(crop_and_resize(tf.constant(noise), 32, 32), noise[:, 9:41])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 77, np.uint8)
    assert (crop_and_resize(tf.constant(image), 32, 32).numpy() == 77).all()


def test_works_in_a_graph_over_images_of_all_sizes() -> None:
    images = [smooth(40, 60), smooth(32, 32), smooth(90, 20)]
    dataset = tf.data.Dataset.from_generator(lambda: images, output_signature=tf.TensorSpec((None, None, 3), tf.uint8))
    dataset = dataset.map(lambda image: crop_and_resize(image, 32, 32))
    assert dataset.element_spec == tf.TensorSpec((32, 32, 3), tf.uint8)
    for resized, image in zip(dataset.as_numpy_iterator(), images, strict=True):
        np.testing.assert_array_equal(resized, crop_and_resize(tf.constant(image), 32, 32))
