from __future__ import annotations

import numpy as np
import pytest

from components.artifacts import SplitStatistics
from components.normalize.moments import Moments, total


def moments_of(images: np.ndarray, labels: list[int] | None = None, classes: int = 3) -> Moments:
    moments = Moments(np.zeros(classes, np.int64))
    moments.add(images, np.array(labels or [0] * len(images)))
    return moments


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def expected_patches(images: np.ndarray) -> np.ndarray:
    """(patches, 12), the slow way."""
    return np.array(
        [
            image[top : top + 2, left : left + 2].reshape(-1) / 255
            for image in images
            for top in range(image.shape[0] - 1)
            for left in range(image.shape[1] - 1)
        ]
    )


# Several images that are added at once, too many for that, rows wider than is added at once, and too many rows.
@pytest.mark.parametrize("shape", [(5, 4, 6, 3), (40, 40, 40, 3), (1, 3, 66000, 3), (2, 258, 300, 3), (2, 2, 2, 3)])
def test_statistics_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    images = random_images(*shape)
    found = moments_of(images).statistics({})
    pixels, patches = images.reshape(-1, 3) / 255, expected_patches(images)
    np.testing.assert_allclose(found.channel_mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.channel_std, pixels.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.patch_mean, patches.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.patch_covariance, np.cov(patches.T, bias=True), atol=1e-12)
    assert found.pixel_count == len(pixels)
    assert found.example_count == shape[0]


def test_the_order_and_the_grouping_of_images_change_nothing() -> None:
    images = random_images(12, 5, 5, 3)
    one_by_one = total(moments_of(images[i : i + 1]) for i in reversed(range(12))).statistics({})
    assert one_by_one == moments_of(images).statistics({})


def test_a_tiny_spread_on_a_bright_image_does_not_cancel() -> None:
    images = np.full((100, 64, 64, 3), 254, np.uint8)
    images[0, 0, 0] = 255
    found: SplitStatistics = moments_of(images).statistics({})
    fraction = 1 / (100 * 64 * 64)
    assert found.channel_std == pytest.approx([(fraction * (1 - fraction)) ** 0.5 / 255] * 3, rel=1e-12)


def test_labels_are_counted_by_class_and_foreign_ones_apart() -> None:
    one = moments_of(random_images(4, 2, 2, 3), [0, 2, 2, 3])
    other = moments_of(random_images(4, 2, 2, 3), [1, -1, 9, 5])
    both = total([one, other])
    assert both.class_counts.tolist() == [1, 1, 2]
    assert both.foreign_label_count == 4
    assert both.foreign_labels == (-1, 9)


def test_an_image_of_one_row_has_pixels_and_no_patches() -> None:
    moments = moments_of(random_images(1, 1, 7, 3))
    assert moments.pixel_count == 7
    assert moments.patch_count == 0
