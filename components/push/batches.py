"""Cuts arrays of images into batches that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BATCH_IMAGES = 250


def batches(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields consecutive batches of at most BATCH_IMAGES images, (n, ...)."""
    for start in range(0, len(images), BATCH_IMAGES):
        yield np.ascontiguousarray(images[start : start + BATCH_IMAGES])
