"""Fits linear discriminants on the vectors, each without one fold of the images, for that fold to be judged by.

Why not the head that train fits: of labels that were changed in the sample this one finds more. Its means and its
covariance hardly move with some wrong labels, and logistic regression bends until it knows them by heart. And it takes
one pass over the vectors, in blocks, and no iterations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax

from components.inspect.pool import Pool

Floats = NDArray[np.float32]
Groups = Mapping[tuple[str, int], int]  # by split and index in it: the group of near copies that an image belongs to

FOLDS = 10  # of five, each head would miss a fifth of the images
JUDGED_IMAGES = 20_000  # that shrinkage and scale are chosen by: more would choose the same
SHRINKAGES = (0.2, 0.8)  # of the covariance towards a multiple of the identity: for many images, and for few
SCALES = np.geomspace(0.01, 3, 40)  # of the logits: with so many features, discriminants are too sure of themselves
SMALLEST_COUNT = 1e-3  # what rounding leaves of the weights of a class that was taken out
SMALLEST_VARIANCE = 1e-6  # so that images that are all alike have a covariance to divide by


class Layer(NamedTuple):
    """A linear layer."""

    weights: Floats  # (features, classes)
    biases: Floats  # (classes,); -inf for a class that it was fitted without

    def log_probabilities(self, features: Floats) -> Floats:
        """Computes (n, classes) from (n, features)."""
        found: Floats = log_softmax(features @ self.weights + self.biases, axis=1)
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

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.counts + other.counts, self.sums + other.sums, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.counts - other.counts, self.sums - other.sums, self.products - other.products)

    def layers(self) -> list[Layer]:
        """Returns the discriminant for each of `SHRINKAGES`. There is an image or more."""
        counts = np.where(self.counts < SMALLEST_COUNT, 0, self.counts)
        total = counts.sum()
        means = self.sums / np.where(counts > 0, counts, np.inf)[:, None]
        covariance = (self.products - self.sums.T @ means) / total
        identity = np.eye(len(covariance)) * max(np.trace(covariance) / len(covariance), SMALLEST_VARIANCE)
        with np.errstate(divide="ignore"):
            log_frequencies = np.log(counts / total)
        return [
            _layer((1 - shrinkage) * covariance + shrinkage * identity, means, log_frequencies)
            for shrinkage in SHRINKAGES
        ]


def _layer(covariance: NDArray[np.float64], means: NDArray[np.float64], log_frequencies: NDArray[np.float64]) -> Layer:
    weights = cho_solve(cho_factor(covariance, lower=True), means.T)
    biases = log_frequencies - (means.T * weights).sum(axis=0) / 2
    return Layer(weights.astype(np.float32), biases.astype(np.float32))


class HeldOutHead:
    """Heads for the images of a pool: for each fold one that was fitted without it, and one fitted on all."""

    def __init__(
        self, pool: Pool, class_count: int, groups: Groups | None = None, image_weights: Floats | None = None
    ) -> None:
        """Fits the heads, in one pass.

        Args:
            pool: one image or more.
            class_count: number of classes.
            groups: the images of one are in one fold, so that none vouches for another's label.
            image_weights: how much each image counts, above 0, (n,); left out, all count the same.
        """
        self._pool = pool
        self._folds = _folds(pool, groups or {})
        self._center = _rough_mean(pool)
        self._weights = np.ones(len(pool), np.float32) if image_weights is None else image_weights
        moments = self._moments(class_count)
        everything = sum(moments[1:], start=moments[0])
        # Of a fold that holds all images, no head can be fitted without it.
        rests = [everything - fold if (self._folds != number).any() else fold for number, fold in enumerate(moments)]
        fitted = [rest.layers() for rest in rests]
        best, scale = self._best(fitted)
        self._heads = [layers[best].scaled(scale) for layers in fitted]
        self._whole = everything.layers()[best].scaled(scale)

    def held_out(self) -> Iterator[tuple[slice, Floats]]:
        """Yields spans of the pool, in its order, with the log-probabilities (n, classes) of their images.

        They come from a head that has not seen the image; -inf for a class of which that head has seen no image.
        """
        for span, features in self._pool.blocks():
            yield span, _log_probabilities(self._heads, features - self._center, self._folds[span])

    def log_probabilities(self, features: Floats) -> Floats:
        """Computes the log-probabilities (n, classes) of other images by the head that has seen the whole pool."""
        return self._whole.log_probabilities(features - self._center)

    def _moments(self, class_count: int) -> list[Moments]:
        size = len(self._center)
        nothing = Moments(np.zeros(class_count), np.zeros((class_count, size)), np.zeros((size, size)))
        moments = [nothing] * FOLDS
        for span, features in self._pool.blocks():
            for fold in range(FOLDS):
                chosen = self._folds[span] == fold
                labels, weights = self._pool.labels[span][chosen], self._weights[span][chosen]
                moments[fold] += _moments(features[chosen] - self._center, labels, weights, class_count)
        return moments

    def _best(self, fitted: list[list[Layer]]) -> tuple[int, float]:
        """Returns the place of the shrinkage, and the scale, of the smallest cross-entropy on held-out images."""
        numbers = np.unique(np.linspace(0, len(self._pool) - 1, JUDGED_IMAGES).astype(np.int64))
        features, labels = self._pool.features(numbers) - self._center, self._pool.labels[numbers]
        losses = {}
        for place in range(len(SHRINKAGES)):
            layers = [layers[place] for layers in fitted]
            logits = _log_probabilities(layers, features, self._folds[numbers])  # softmax forgives what is added to all
            known = np.isfinite(logits[np.arange(len(labels)), labels])
            for scale in SCALES:
                said = log_softmax(logits[known] * np.float32(scale), axis=1)
                losses[place, float(scale)] = -float(said[np.arange(len(said)), labels[known]].sum())
        return min(losses, key=losses.__getitem__)


def _log_probabilities(layers: list[Layer], features: Floats, folds: NDArray[np.int64]) -> Floats:
    """Computes (n, classes), for each image by the layer of its fold."""
    found = np.empty((len(features), len(layers[0].biases)), np.float32)
    for fold, layer in enumerate(layers):
        found[folds == fold] = layer.log_probabilities(features[folds == fold])
    return found


def _moments(features: Floats, labels: NDArray[np.int64], weights: Floats, class_count: int) -> Moments:
    weighted = features * weights[:, None]
    counts = np.bincount(labels, weights, class_count).astype(np.float64)
    sums = np.zeros((class_count, features.shape[1]))
    if len(labels):
        order = np.argsort(labels, kind="stable")
        present, starts = np.unique(labels[order], return_index=True)
        sums[present] = np.add.reduceat(weighted[order], starts, axis=0, dtype=np.float64)
    return Moments(counts, sums, (weighted.T @ features).astype(np.float64))


def _folds(pool: Pool, groups: Groups) -> NDArray[np.int64]:
    """Returns the fold of each image, (n,): the images of each class are dealt out in turn; a group follows one."""
    folds = np.empty(len(pool), np.int64)
    order = np.argsort(pool.labels, kind="stable")
    folds[order] = np.arange(len(pool)) % FOLDS
    firsts: dict[int, int] = {}
    for (split, index), group in groups.items():
        number = pool.number(split, index)
        folds[number] = folds[firsts.setdefault(group, number)]
    return folds


def _rough_mean(pool: Pool) -> Floats:
    """Returns about the mean of all images, (features,): sums around it lose fewer digits in float32."""
    _, features = next(pool.blocks())
    mean: Floats = features.mean(axis=0)
    return mean
