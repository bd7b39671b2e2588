"""Images of the sample, and vectors that need no network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Examples
from components.dataset_reader import read
from components.inspect.thumbnails import resize_matrix, thumbnail
from components.inspect.vectors import SplitVectors

Pixels = NDArray[np.uint8]
FEATURES = 64


def sample_images(sample: Examples, count: int) -> list[Pixels]:
    """The first images of the sample's test split, in which no two nearly repeat each other."""
    return [image for image, _ in read(sample, f"test[:{count}]").as_numpy_iterator()]


def make_split(split: str, images: Sequence[Pixels], labels: Sequence[int] = ()) -> tuple[SplitVectors, Pixels]:
    """The split's vectors and thumbnails."""
    views = np.stack([[_features(image), _features(image[:, ::-1])] for image in images]).astype(np.float16)
    digests = np.stack([np.frombuffer(hashlib.sha256(image.tobytes()).digest()[:16], np.uint8) for image in images])
    named = np.array(labels or [0] * len(images), np.int64)
    return SplitVectors(split, named, digests, views), np.stack([thumbnail(image) for image in images])


def _features(image: Pixels) -> NDArray[np.float32]:
    """Random projections of the coarse colors: like a network's, they change little where the picture does."""
    height, width = image.shape[:2]
    rows, columns = resize_matrix(0.0, 1.0, height, 6), resize_matrix(0.0, 1.0, width, 6)
    coarse = np.einsum("ih,hwc,jw->ijc", rows, image.astype(np.float32) / 255, columns).ravel()
    projected = np.random.default_rng(0).normal(size=(FEATURES, coarse.size)) @ (coarse - coarse.mean())
    return np.maximum(projected, 0).astype(np.float32)
