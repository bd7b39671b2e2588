"""Computes figures of each image from a model's predictions; their means are the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15  # as in Guo et al. 2017
_SMALLEST_PROBABILITY = 1e-7  # the bound to which Keras clips probabilities


@dataclass(frozen=True)
class ExampleScores:
    """Scores of n images.

    A value that is not finite counts as a probability of 0 here; the gate checks for it separately.
    """

    labels: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, classes), finite

    @classmethod
    def of(cls, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> ExampleScores:
        """Makes scores from predictions, with zeros in place of values that are not finite."""
        if np.isfinite(probabilities).all():
            return cls(labels, probabilities)  # no copy: 50,000 images of 1,000 classes take 200 MB
        return cls(labels, np.nan_to_num(probabilities, nan=0.0, posinf=0.0, neginf=0.0))

    def take(self, indices: NDArray[np.int64]) -> ExampleScores:
        """Returns the scores of some of the images."""
        return ExampleScores(self.labels[indices], self.probabilities[indices])

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image, (n,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def by_class(self) -> NDArray[np.float32]:
        """The probabilities by class, (classes, n): those of one class lie side by side in memory."""
        return np.ascontiguousarray(self.probabilities.T)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """The truth of each prediction, (n,): whether the predicted class is the label."""
        return self.predicted == self.labels

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the predicted class, (n,)."""
        return self.probabilities.max(axis=1).astype(np.float64)

    @cached_property
    def label_probability(self) -> NDArray[np.float32]:
        """The probability of the label, (n,)."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def loss(self) -> NDArray[np.float64]:
        """The negative logarithm of the label's probability, (n,), which is clipped to at least 1e-7."""
        return -np.log(np.clip(self.label_probability.astype(np.float64), _SMALLEST_PROBABILITY, 1))

    def in_top(self, count: int) -> NDArray[np.bool_]:
        """Returns whether fewer than `count` classes are more probable than the label, (n,)."""
        return (self.probabilities > self.label_probability[:, np.newaxis]).sum(axis=1) < count

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """The index of the calibration bin of each confidence, (n,): of 15 equal parts of 0 to 1."""
        return np.minimum((self.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
