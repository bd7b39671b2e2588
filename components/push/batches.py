"""Cuts arrays of images into batches that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from components.batch_size import max_batch_size

BATCH_IMAGES = 250


def batches(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields consecutive batches of images (n, height, width, 3), of at most BATCH_IMAGES."""
    count = max_batch_size(images.shape[1], images.shape[2], BATCH_IMAGES)
    for start in range(0, len(images), count):
        yield np.ascontiguousarray(images[start : start + count])
