"""The model's predictions on the test split, and their calibration."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.artifacts import Evaluation

BIN_COUNT = 15  # as in arXiv 1706.04599


class Predictions(NamedTuple):
    """The predictions of a model, one entry per image in the split's order. Probabilities are 0-1."""

    labels: np.ndarray  # int64 (n,)
    predicted: np.ndarray  # int64 (n,), the most probable class
    confidence: np.ndarray  # float32 (n,), its probability
    label_probability: np.ndarray  # float32 (n,), that of the true class

    @property
    def correct(self) -> np.ndarray:
        """True for each image that is classified correctly, bool (n,)."""
        return self.predicted == self.labels

    def confident_mistakes(self, count: int) -> np.ndarray:
        """Returns indices of at most `count` wrongly classified images, the most confident mistake first."""
        mistakes = np.flatnonzero(~self.correct)
        return mistakes[np.argsort(-self.confidence[mistakes], kind="stable")][:count]

    def least_certain(self, count: int) -> np.ndarray:
        """Returns indices of at most `count` images, the least confident prediction first."""
        return np.argsort(self.confidence, kind="stable")[:count]


class Bin(NamedTuple):
    """The images whose prediction has a confidence in [low, high). The last bin includes 1."""

    low: float
    high: float
    images: int
    confidence: float  # mean over the bin, 0 if it is empty
    accuracy: float  # likewise


def read_predictions(evaluation: Evaluation) -> Predictions | None:
    """Returns the predictions of an evaluation, or None if no image was evaluated.

    Reads one shard at a time and keeps only four numbers per image.
    """
    shards = [_read_shard(path) for path in sorted((evaluation.folder / "predictions").glob("*.npz"))]
    columns = [np.concatenate(column) for column in zip(*shards, strict=True)]
    return Predictions(*columns) if columns and len(columns[0]) else None


def read_probabilities(evaluation: Evaluation, column: str = "probabilities") -> np.ndarray | None:
    """Returns all probabilities in a column of the predictions, float32 (n, classes), 0-1; None if there are none.

    The column "baseline_probabilities" holds those of the baseline. NaN is replaced by 0.
    """
    shards = [np.load(path) for path in sorted((evaluation.folder / "predictions").glob("*.npz"))]
    if not shards or any(column not in shard.files for shard in shards):
        return None
    return np.nan_to_num(np.concatenate([shard[column] for shard in shards]), nan=0.0)


def _read_shard(path: Path) -> Predictions:
    with np.load(path) as shard:
        # A NaN counts as no confidence. The evaluation does not bless such a model, but this page can show it.
        labels, probabilities = shard["label"], np.nan_to_num(shard["probabilities"], nan=0.0)
    rows, predicted = np.arange(len(labels)), probabilities.argmax(1)
    return Predictions(labels, predicted, probabilities[rows, predicted], probabilities[rows, labels])


def calibration_bins(predictions: Predictions, bin_count: int = BIN_COUNT) -> list[Bin]:
    """Returns bins of equal width over confidences from 0 to 1.

    See C. Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599.
    """
    index = np.clip((predictions.confidence * bin_count).astype(int), 0, bin_count - 1)
    images = np.bincount(index, minlength=bin_count)
    confidence = np.bincount(index, predictions.confidence, bin_count) / np.maximum(images, 1)
    accuracy = np.bincount(index, predictions.correct, bin_count) / np.maximum(images, 1)
    return [
        Bin(each / bin_count, (each + 1) / bin_count, int(images[each]), float(confidence[each]), float(accuracy[each]))
        for each in range(bin_count)
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Returns the mean distance between confidence and accuracy, weighted by the images in each bin (same source)."""
    total = sum(each.images for each in bins)
    return sum(each.images * abs(each.confidence - each.accuracy) for each in bins) / total
