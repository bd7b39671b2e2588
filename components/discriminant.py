"""Linear discriminant analysis with a shrunk covariance, from sums over images.

Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", section 4.3: classes have normal distributions
with one covariance, which is mixed here with a multiple of the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax

Floats = NDArray[np.float32]

SMALLEST_COUNT = 1e-3  # what rounding leaves of the weights of a class that was taken out
SMALLEST_VARIANCE = 1e-6  # so that images that are all alike have a covariance to divide by


class Layer(NamedTuple):
    """A linear layer."""

    weights: Floats  # (features, classes)
    biases: Floats  # (classes,); -inf for a class that it was fitted without

    def logits(self, features: Floats) -> Floats:
        """Computes (n, classes) from (n, features)."""
        return features @ self.weights + self.biases

    def log_probabilities(self, features: Floats) -> Floats:
        """Computes (n, classes) from (n, features)."""
        found: Floats = log_softmax(self.logits(features), axis=1)
        return found

    def scaled(self, scale: float) -> Layer:
        """Returns a layer with logits multiplied by `scale`."""
        return Layer(self.weights * np.float32(scale), self.biases * np.float32(scale))


@dataclass(frozen=True)
class Moments:
    """Weighted sums over images; they add up."""

    counts: NDArray[np.float64]  # (classes,), of weights
    sums: NDArray[np.float64]  # (classes, features)
    products: NDArray[np.float64]  # (features, features)

    @classmethod
    def zeros(cls, class_count: int, feature_count: int) -> Moments:
        """Returns the sums over no images."""
        shapes = ((class_count,), (class_count, feature_count), (feature_count, feature_count))
        return cls(*map(np.zeros, shapes))

    @classmethod
    def of(cls, features: Floats, labels: NDArray[np.int64], weights: Floats, class_count: int) -> Moments:
        """Returns the sums over features (n, features); in float32, so features should lie around 0."""
        weighted = features * weights[:, None]
        counts = np.bincount(labels, weights, class_count).astype(np.float64)
        sums = np.zeros((class_count, features.shape[1]))
        if len(labels):
            order = np.argsort(labels, kind="stable")
            present, starts = np.unique(labels[order], return_index=True)
            sums[present] = np.add.reduceat(weighted[order], starts, axis=0, dtype=np.float64)
        return cls(counts, sums, (weighted.T @ features).astype(np.float64))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.counts + other.counts, self.sums + other.sums, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.counts - other.counts, self.sums - other.sums, self.products - other.products)

    def layers(self, shrinkages: Sequence[float], class_balance: float = 0.0) -> list[Layer]:
        """Returns the discriminant for each shrinkage, the identity's part of the covariance, 0-1.

        With a `class_balance` of 0 classes are as likely as they are frequent, with 1 they are equally likely. There is
        an image or more.
        """
        counts = np.where(self.counts < SMALLEST_COUNT, 0, self.counts)
        total = counts.sum()
        means = self.sums / np.where(counts > 0, counts, np.inf)[:, None]
        covariance = (self.products - self.sums.T @ means) / total
        identity = np.eye(len(covariance)) * max(np.trace(covariance) / len(covariance), SMALLEST_VARIANCE)
        frequencies = np.where(counts > 0, counts, 1) / total
        log_priors = np.where(counts > 0, (1 - class_balance) * np.log(frequencies), -np.inf)
        return [
            _layer((1 - shrinkage) * covariance + shrinkage * identity, means, log_priors) for shrinkage in shrinkages
        ]


def _layer(covariance: NDArray[np.float64], means: NDArray[np.float64], log_priors: NDArray[np.float64]) -> Layer:
    weights = cho_solve(cho_factor(covariance, lower=True), means.T)
    biases = log_priors - (means.T * weights).sum(axis=0) / 2
    return Layer(weights.astype(np.float32), biases.astype(np.float32))
