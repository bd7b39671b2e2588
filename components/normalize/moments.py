"""Computes exact sums over images, from which means and covariances follow.

Pixels are integers, and so are these sums. The statistics are therefore the same to the last bit, in whatever order the
workers add them up. (Float sums would need the pairwise updates of Chan, Golub and LeVeque 1983, "Algorithms for
computing the sample variance", and would still differ from run to run.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from components.artifacts import SplitStatistics
from components.normalize.neighbors import sum_neighbors
from components.normalize.patches import PATCH_VALUES, sum_patches

LARGEST_VALUE = 255
_CENTER = 128  # is subtracted from the values that are summed; variances and covariances stay the same


def _zeros(*shape: int) -> NDArray[np.int64]:
    """Returns zeros in int64, which holds the sums of 1.4e14 patches."""
    return np.zeros(shape, np.int64)


@dataclass
class Moments:
    """Exact sums over images, of values less 128: -128 to 127."""

    class_counts: NDArray[np.int64]  # (classes,)
    example_count: int = 0
    pixel_count: int = 0
    patch_count: int = 0
    pixel_sum: NDArray[np.int64] = field(default_factory=lambda: _zeros(3))
    pixel_square_sum: NDArray[np.int64] = field(default_factory=lambda: _zeros(3))
    patch_sum: NDArray[np.int64] = field(default_factory=lambda: _zeros(PATCH_VALUES))
    patch_product_sum: NDArray[np.int64] = field(default_factory=lambda: _zeros(PATCH_VALUES, PATCH_VALUES))
    foreign_labels: tuple[int, ...] = ()  # the lowest and the highest label without a class
    foreign_label_count: int = 0

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Adds images, uint8 (n, height, width, 3), and their labels, int64 (n,)."""
        self.example_count += len(images)
        self._add_labels(labels)
        self._add_pixels(images)

    def _add_labels(self, labels: NDArray[np.int64]) -> None:
        known = (labels >= 0) & (labels < len(self.class_counts))
        self.class_counts += np.bincount(labels[known], minlength=len(self.class_counts))
        self.foreign_label_count += int((~known).sum())
        self.foreign_labels = _extremes([*self.foreign_labels, *labels[~known].tolist()])

    def _add_pixels(self, images: NDArray[np.uint8]) -> None:
        count, height, width, _ = images.shape
        sums = sum_neighbors(images)
        self.pixel_count += count * height * width
        self.pixel_sum += sums.pixels
        self.pixel_square_sum += sums.squares
        if min(height, width) < 2:
            return
        patch_sum, patch_product_sum = sum_patches(images, sums)
        self.patch_count += count * (height - 1) * (width - 1)
        self.patch_sum += patch_sum
        self.patch_product_sum += patch_product_sum

    def statistics(self, image_sizes: dict[str, int]) -> SplitStatistics:
        """Returns the statistics with values scaled to 0-1. Needs at least one patch."""
        red, green, blue = _mean(self.pixel_sum, self.pixel_count)
        sums, square_sums = self.pixel_sum.tolist(), self.pixel_square_sum.tolist()
        variances = [_covariance(square_sums[i], sums[i], sums[i], self.pixel_count) for i in range(3)]
        return SplitStatistics(
            example_count=self.example_count,
            pixel_count=self.pixel_count,
            channel_mean=(red, green, blue),
            channel_std=(variances[0] ** 0.5, variances[1] ** 0.5, variances[2] ** 0.5),
            patch_mean=_mean(self.patch_sum, self.patch_count),
            patch_covariance=self._patch_covariance(),
            class_counts=tuple(self.class_counts.tolist()),
            image_sizes=image_sizes,
        )

    def _patch_covariance(self) -> tuple[tuple[float, ...], ...]:
        sums = self.patch_sum.tolist()
        return tuple(
            tuple(_covariance(product, sums[i], sums[j], self.patch_count) for j, product in enumerate(row))
            for i, row in enumerate(self.patch_product_sum.tolist())
        )


def total(parts: Iterable[Moments]) -> Moments:
    """Returns the moments of all images of the parts. There must be at least one part."""
    return reduce(_both, parts)


def _both(one: Moments, other: Moments) -> Moments:
    return Moments(
        class_counts=one.class_counts + other.class_counts,
        example_count=one.example_count + other.example_count,
        pixel_count=one.pixel_count + other.pixel_count,
        patch_count=one.patch_count + other.patch_count,
        pixel_sum=one.pixel_sum + other.pixel_sum,
        pixel_square_sum=one.pixel_square_sum + other.pixel_square_sum,
        patch_sum=one.patch_sum + other.patch_sum,
        patch_product_sum=one.patch_product_sum + other.patch_product_sum,
        foreign_labels=_extremes([*one.foreign_labels, *other.foreign_labels]),
        foreign_label_count=one.foreign_label_count + other.foreign_label_count,
    )


def _extremes(labels: list[int]) -> tuple[int, ...]:
    return tuple(sorted({min(labels), max(labels)})) if labels else ()


def _mean(sums: NDArray[np.int64], count: int) -> tuple[float, ...]:
    return tuple((value + count * _CENTER) / (count * LARGEST_VALUE) for value in sums.tolist())


def _covariance(product_sum: int, sum_: int, other_sum: int, count: int) -> float:
    """Computes (n sum(xy) - sum(x) sum(y)) / n^2 in Python's unbounded integers, without cancellation."""
    return (count * product_sum - sum_ * other_sum) / (count * LARGEST_VALUE) ** 2
