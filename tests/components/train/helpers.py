"""What the tests of training share: statistics of images, and a quick config."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.artifacts import Examples, SplitStatistics, Statistics
from components.reading import read
from components.train import TrainConfig

# A network that learns the three colours of `tiny` in seconds.
QUICK: dict[str, Any] = {"widths": (8, 8, 16), "epochs": 6.0, "batch_size": 24, "size_schedule": ((0.0, 1.0),)}


def quick_config(**values: Any) -> TrainConfig:
    return TrainConfig.model_validate({**QUICK, **values})


def images_and_labels(examples: Examples, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*read(examples, examples.splits[split]).as_numpy_iterator(), strict=True)
    return np.stack(images), np.array(labels)


def split_statistics(images: np.ndarray, labels: np.ndarray) -> SplitStatistics:
    """What Normalize finds in images uint8 (n, height, width, 3)."""
    pixels = images / 255
    patches = np.concatenate([pixels[:, :-1, :-1], pixels[:, :-1, 1:], pixels[:, 1:, :-1], pixels[:, 1:, 1:]], axis=-1)
    patches = patches.reshape(-1, 12)
    return SplitStatistics(
        example_count=len(images),
        pixel_count=pixels[..., 0].size,
        channel_mean=tuple(pixels.mean((0, 1, 2)).tolist()),
        channel_std=tuple(pixels.std((0, 1, 2)).tolist()),
        patch_mean=tuple(patches.mean(axis=0).tolist()),
        patch_covariance=tuple(map(tuple, np.cov(patches.T, bias=True).tolist())),
        class_counts=tuple(np.bincount(labels).tolist()),
        image_sizes={f"{images.shape[1]}x{images.shape[2]}": len(images)},
    )


def statistics_of(examples: Examples) -> Statistics:
    return Statistics(
        folder=examples.folder,
        splits={"train": split_statistics(*images_and_labels(examples, "train"))},
        duplicate_count=0,
        leaked_count=0,
        duplicates=(),
        warnings=(),
    )
