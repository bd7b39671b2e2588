"""Fits linear discriminants on the vectors, each without one fold of the images, for that fold to be judged by.

They differ from the head that train fits in what is held out: all vectors are read in blocks, from files, and near
copies of an image are held out with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from components.discriminant import Floats, Layer, Moments
from components.inspect.pool import Pool

Groups = Mapping[tuple[str, int], int]  # by split and index in it: the group of near copies that an image belongs to

FOLDS = 10  # of five, each head would miss a fifth of the images
JUDGED_IMAGES = 20_000  # that shrinkage and scale are chosen by: more would choose the same
SHRINKAGES = (0.2, 0.8)  # of the covariance towards a multiple of the identity: for many images, and for few
SCALES = np.geomspace(0.01, 3, 40)  # of the logits: with so many features, discriminants are too sure of themselves


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
        fitted = [rest.layers(SHRINKAGES) for rest in rests]
        best, scale = self._best(fitted)
        self._heads = [layers[best].scaled(scale) for layers in fitted]
        self._whole = everything.layers(SHRINKAGES)[best].scaled(scale)

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
        moments = [Moments.zeros(class_count, size)] * FOLDS
        for span, features in self._pool.blocks():
            for fold in range(FOLDS):
                chosen = self._folds[span] == fold
                labels, weights = self._pool.labels[span][chosen], self._weights[span][chosen]
                moments[fold] += Moments.of(features[chosen] - self._center, labels, weights, class_count)
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
