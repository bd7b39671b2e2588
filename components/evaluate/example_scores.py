"""What a model said of each image, as figures of one image whose means are the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15  # as in Guo et al. 2017
_SMALLEST_PROBABILITY = 1e-7  # to which Keras clips


@dataclass(frozen=True)
class ExampleScores:
    """Of n images. What is no finite number counts as a probability of 0 here; the gate knows of it otherwise."""

    labels: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, classes), finite

    @classmethod
    def of(cls, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> ExampleScores:
        """With zeros for what is not finite."""
        return cls(labels, np.nan_to_num(probabilities, nan=0.0, posinf=0.0, neginf=0.0))

    def take(self, indices: NDArray[np.int64]) -> ExampleScores:
        """Of some of the images."""
        return ExampleScores(self.labels[indices], self.probabilities[indices])

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(n,): the most probable class."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(n,): whether it is the label."""
        return self.predicted == self.labels

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """(n,): its probability."""
        return self.probabilities.max(axis=1).astype(np.float64)

    @cached_property
    def label_probability(self) -> NDArray[np.float32]:
        """(n,): the probability of the label."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def loss(self) -> NDArray[np.float64]:
        """(n,): its negative logarithm."""
        return -np.log(np.clip(self.label_probability.astype(np.float64), _SMALLEST_PROBABILITY, 1))

    def in_top(self, count: int) -> NDArray[np.bool_]:
        """(n,): whether fewer than `count` classes are more probable than the label."""
        return (self.probabilities > self.label_probability[:, np.newaxis]).sum(axis=1) < count

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """(n,): which of 15 equal parts of 0 to 1 the confidence lies in."""
        return np.minimum((self.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
