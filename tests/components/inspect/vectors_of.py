"""Draws vectors around a center for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.inspect.vectors import SplitVectors

FEATURES = 32


def drawn(split: str, labels: Sequence[int] | np.ndarray, noise: float = 0.5, seed: int = 0) -> SplitVectors:
    """A split of images with these labels; both views of an image are noisy, and no feature is negative."""
    random, labels = np.random.default_rng(seed), np.asarray(labels, np.int64)
    centers = np.random.default_rng(7).uniform(0, 3, (max(labels, default=0) + 1, FEATURES))
    views = centers[labels][:, None] + random.normal(0, noise, (len(labels), 2, FEATURES))
    digests = random.integers(0, 256, (len(labels), 16)).astype(np.uint8)
    return SplitVectors(split, labels, digests, np.abs(views).astype(np.float16))


def alike(split: str, labels: Sequence[int]) -> SplitVectors:
    """A split in which all images are the same one."""
    views = np.ones((len(labels), 2, FEATURES), np.float16)
    return SplitVectors(split, np.array(labels, np.int64), np.zeros((len(labels), 16), np.uint8), views)
