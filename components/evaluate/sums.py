"""Sums over the images of a slice, which merge, and the metric by which TensorFlow Model Analysis (TFMA) merges them.

TFMA's own metrics take a row an image and slice, and its Keras metrics a call of TensorFlow a slice and shard. Of many
images, or in many classes, nearly all of an evaluation's time would go there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types

from components.evaluate.thresholds import top_k_metric

SUMS_KEY = "sums"  # of TFMA's extracts
CONFUSION = "confusion_matrix"

_SMALLEST_PROBABILITY = 1e-7  # the bound to which Keras clips probabilities
_SIGNIFICANT_DIGITS = 12


@dataclass
class Sums:
    """Sums over images. The confusion matrix is empty in slices, where nobody reads it."""

    examples: int = 0
    right: int = 0  # the predicted class is the label
    in_top_k: int = 0  # the label is among the k most probable classes
    loss: float = 0.0
    confusion: Counter[tuple[int, int]] = field(default_factory=Counter)  # by (true class, predicted class)

    def add(self, other: Sums) -> Sums:
        """Adds the sums over other images to these, and returns them."""
        self.examples += other.examples
        self.right += other.right
        self.in_top_k += other.in_top_k
        self.loss += other.loss
        self.confusion.update(other.confusion)
        return self


@dataclass(frozen=True)
class Scores:
    """What is summed of n images."""

    right: NDArray[np.bool_]  # (n,)
    in_top_k: NDArray[np.bool_]  # (n,)
    loss: NDArray[np.float64]  # (n,)
    labels: NDArray[np.int64]  # (n,)
    predicted: NDArray[np.int64]  # (n,)

    @classmethod
    def of(cls, labels: NDArray[np.int64], probabilities: NDArray[np.float32], top_k: int) -> Scores:
        """Makes the scores from labels (n,) and probabilities (n, classes)."""
        own = probabilities[np.arange(len(labels)), labels]
        predicted = probabilities.argmax(axis=1)
        return cls(
            right=predicted == labels,
            in_top_k=np.isfinite(probabilities).all(axis=1)
            & ((probabilities > own[:, np.newaxis]).sum(axis=1) < top_k),
            loss=_cross_entropy(labels, probabilities),
            labels=labels,
            predicted=predicted,
        )

    def total(self) -> Sums:
        """Returns the sums over all images, with the confusion matrix."""
        pairs = Counter(zip(self.labels.tolist(), self.predicted.tolist(), strict=True))
        return Sums(len(self.labels), int(self.right.sum()), int(self.in_top_k.sum()), float(self.loss.sum()), pairs)

    def by(self, values: NDArray[Any]) -> Iterator[tuple[Any, Sums]]:
        """Yields each of the values, (n,), with the sums over its images."""
        found, places = np.unique(values, return_inverse=True)
        columns = [np.bincount(places, each) for each in (np.ones(len(values)), self.right, self.in_top_k, self.loss)]
        for value, (examples, right, in_top_k, loss) in zip(found.tolist(), np.stack(columns, 1).tolist(), strict=True):
            yield value, Sums(int(examples), int(right), int(in_top_k), loss)


def _cross_entropy(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Computes Keras's loss, (n,): of probabilities from 1e-7 on, over their sum.

    TFMA's own cross-entropy leaves zeros out: a model that is certain of a wrong class would look perfect.
    """
    clipped = np.clip(probabilities.astype(np.float64), _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    return np.log(clipped.sum(axis=1)) - np.log(clipped[np.arange(len(labels)), labels])


class MergedSums(tfma.metrics.Metric):
    """The metric of TFMA that merges the extracts' `Sums` and divides them."""

    def __init__(self, top_k: int, name: str = "merged_sums") -> None:
        super().__init__(_computations, top_k=top_k, name=name)


metric_types.register_metric(MergedSums)  # TFMA makes metrics by name


def _computations(top_k: int, name: str = "") -> list[metric_types.MetricComputation]:
    keys = [metric_types.MetricKey(each) for each in ("example_count", "accuracy", "cross_entropy", CONFUSION)]
    keys.append(metric_types.MetricKey(top_k_metric(top_k)))
    return [metric_types.MetricComputation(keys, [_TakeSums()], _Merge(top_k))]


class _TakeSums(metric_types.Preprocessor):
    """The step of TFMA that leaves of the extracts what the metric needs."""

    def process(self, extracts: dict[str, Any]) -> Iterator[Sums]:
        """Yields the sums."""
        yield extracts[SUMS_KEY]


class _Merge(beam.CombineFn):
    """The combiner from `Sums` to figures."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k

    def create_accumulator(self) -> Sums:
        return Sums()

    def add_input(self, accumulator: Sums, element: Sums) -> Sums:
        return accumulator.add(element)

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        merged = Sums()
        for each in accumulators:
            merged.add(each)
        return merged

    def extract_output(self, accumulator: Sums) -> dict[metric_types.MetricKey, Any]:
        count = accumulator.examples
        figures = {
            "example_count": float(count),
            "accuracy": accumulator.right / count,
            top_k_metric(self._top_k): accumulator.in_top_k / count,
            "cross_entropy": _rounded(accumulator.loss / count),
            CONFUSION: accumulator.confusion,
        }
        return {metric_types.MetricKey(name): value for name, value in figures.items()}


def _rounded(value: float) -> float:
    """Drops the last digits, which depend on the order in which the workers finish and sums are taken."""
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
