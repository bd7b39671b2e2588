"""Fits the last layer of a classifier on stored features: multinomial logistic regression with an L2 penalty.

The penalty is chosen by cross-validation. For the fit, features are centered and divided by one number for all: each by
its own deviation would give rare ones such weights that float16 could not hold what is computed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from components import vector_file
from components.artifacts import Embeddings

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

PENALTIES = (
    100.0,
    30.0,
    10.0,
    3.0,
    1.0,
    0.3,
    0.1,
    0.03,
)  # by falling strength, so that each fit starts near the last one
FOLDS = 5
ONE_FOLD_IMAGES = 4000  # from here on one fold tells enough
ITERATIONS = 300
TOLERANCE = 1e-5  # of the loss, relative


class Features(NamedTuple):
    """The stored vectors of one split."""

    labels: NDArray[np.int64]  # (n,)
    views: Floats  # (n, views, features): of the image, and of its mirror image


@dataclass(frozen=True)
class Head:
    """A fitted layer, and what its like said of images that were held out."""

    weights: Floats  # (features, classes)
    biases: Floats  # (classes,)
    penalty: float
    held_out_logits: Floats  # (n, classes), of training images, each by a layer that was fitted without it
    held_out_labels: NDArray[np.int64]  # (n,)

    def logits(self, features: Floats) -> Floats:
        """Computes (n, classes) from (n, features)."""
        return features @ self.weights + self.biases


def read_features(embeddings: Embeddings, split: str) -> Features:
    """Reads the vectors of a split ("train" or "validation"), in its order."""
    labels, views = [], []
    for shard in map(vector_file.read, embeddings.files(split)):
        labels.append(shard.labels)
        views.append(shard.views.astype(np.float32))
    return Features(np.concatenate(labels), np.concatenate(views))


def fit_head(features: Features, class_count: int, class_balance: float) -> Head:
    """Returns the layer with the penalty of the smallest cross-entropy on held-out images.

    Args:
        features: of the training split.
        class_count: number of classes.
        class_balance: how much images of rare classes count more. 0: all images count the same; 1: all classes do.

    There are two images or more.
    """
    mean = features.views.mean(axis=(0, 1))
    deviation = max(float(features.views.std(axis=(0, 1)).mean()), 1e-6)
    standardized = Features(features.labels, (features.views - mean) / deviation)
    weights = _image_weights(features.labels, class_count, class_balance)
    held_out = _held_out_logits(standardized, weights, class_count)
    labels = np.concatenate([features.labels[images] for images, _ in held_out])
    logits = np.concatenate([logits for _, logits in held_out], axis=1)  # (penalties, n, classes)
    tested = np.concatenate([weights[images] for images, _ in held_out])
    losses = [float(tested @ _cross_entropies(each, labels)) for each in logits]
    best = int(np.argmin(losses))
    everything = np.ones(len(weights), bool)
    layer = _path(standardized, everything, weights, class_count, PENALTIES[: best + 1])[-1]
    scaled = layer[:-1] / deviation
    return Head(
        weights=scaled.astype(np.float32),
        biases=(layer[-1] - mean @ scaled).astype(np.float32),
        penalty=PENALTIES[best],
        held_out_logits=logits[best],
        held_out_labels=labels,
    )


def _held_out_logits(
    features: Features, image_weights: Floats, class_count: int
) -> list[tuple[NDArray[np.bool_], Floats]]:
    """Returns for each fold its images, bool (n,), and their logits for each penalty, (penalties, images, classes)."""
    folds = fold_of_images(features.labels)
    found = []
    for fold in range(1 if len(folds) >= ONE_FOLD_IMAGES else FOLDS):
        held_out = folds == fold
        if held_out.any() and not held_out.all():
            layers = _path(features, ~held_out, image_weights, class_count, PENALTIES)
            views = features.views[held_out].mean(axis=1)
            found.append((held_out, np.stack([views @ layer[:-1] + layer[-1] for layer in layers])))
    return found


def fold_of_images(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the fold of each image, 0 to FOLDS - 1: the images of each class are dealt out in turn, (n,)."""
    folds = np.empty(len(labels), np.int64)
    dealt = 0
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        folds[own] = (dealt + np.arange(len(own))) % FOLDS
        dealt += len(own)  # so that classes of one image do not all fall into the first fold
    return folds


def _image_weights(labels: NDArray[np.int64], class_count: int, class_balance: float) -> Floats:
    """Returns the weight of each image, with mean 1: its class's frequency to the power of -class_balance."""
    counts = np.maximum(np.bincount(labels, minlength=class_count), 1)
    weights = (counts.astype(np.float64) ** -class_balance)[labels]
    return (weights / weights.mean()).astype(np.float32)


def _path(
    features: Features,
    used: NDArray[np.bool_],
    image_weights: Floats,
    class_count: int,
    penalties: tuple[float, ...],
) -> list[Floats]:
    """Returns the layers for falling penalties, (features + 1, classes), with the biases last."""
    views = features.views.shape[1]
    x = features.views[used].reshape(-1, features.views.shape[2])
    labels, weights = np.repeat(features.labels[used], views), np.repeat(image_weights[used], views)
    layer, layers = np.zeros((x.shape[1] + 1, class_count), np.float32), []
    for penalty in penalties:
        layer = _minimize(x, labels, weights / weights.sum(), penalty, layer)
        layers.append(layer)
    return layers


def _minimize(x: Floats, labels: NDArray[np.int64], weights: Floats, penalty: float, start: Floats) -> Floats:
    """Minimizes the weighted mean cross-entropy plus penalty / 2 times the mean squared weight, by L-BFGS."""
    rows, shape = np.arange(len(labels)), start.shape
    strength = penalty / x.shape[1]

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        layer = flat.astype(np.float32).reshape(shape)
        log_probabilities = log_softmax(x @ layer[:-1] + layer[-1], axis=1)
        loss = -float(weights @ log_probabilities[rows, labels]) + strength / 2 * float((layer[:-1] ** 2).sum())
        error = np.exp(log_probabilities)
        error[rows, labels] -= 1
        error *= weights[:, None]
        gradient = np.concatenate([x.T @ error + strength * layer[:-1], error.sum(axis=0, keepdims=True)])
        return loss, gradient.astype(np.float64).ravel()

    options = {"maxiter": ITERATIONS, "ftol": TOLERANCE}
    found = minimize(loss_and_gradient, start.astype(np.float64).ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.astype(np.float32).reshape(shape)


def _cross_entropies(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    return -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
