"""Fits the last layer of a classifier on stored features: a linear discriminant.

How far the covariance is shrunk, and how sharp the probabilities are, is chosen by cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from components import vector_file
from components.artifacts import Embeddings
from components.discriminant import Floats, Layer, Moments
from components.train.class_balance import class_weights
from components.vector_file import VIEWS

# By falling strength. Below the last, features that hardly vary get such weights that float16 cannot hold what is
# computed, and that the first steps of a training from there undo what was fitted.
SHRINKAGES = (0.98, 0.95, 0.9, 0.8, 0.7)
SCALES = np.geomspace(0.001, 2, 40)  # of the logits: with so many features, discriminants are too sure of themselves
# In cross-entropy: where classes are easy, logits are no sharper than they need be. A training from sharper ones
# diverges, and the calibration finds the last of it.
HARDLY_WORSE = 0.01
FOLDS = 5
ONE_FOLD_IMAGES = 4000  # from here on one fold tells enough
MOST_HELD_OUT_IMAGES = 20_000  # of a fold, evenly over it: with 1,000 classes, their logits are 400 MB
BLOCK_IMAGES = 4000


class Features(NamedTuple):
    """The stored vectors of one split."""

    labels: NDArray[np.int64]  # (n,)
    # (n, views, features) as stored, of the image, of its mirror image, and of random windows, if there are any.
    views: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Head:
    """A fitted layer, and what its like said of images that were held out."""

    weights: Floats  # (features, classes)
    biases: Floats  # (classes,)
    shrinkage: float
    held_out_logits: Floats  # (n, classes), of training images, each by a layer that was fitted without it
    held_out_labels: NDArray[np.int64]  # (n,)

    def logits(self, features: Floats) -> Floats:
        """Computes (n, classes) from (n, features)."""
        return features @ self.weights + self.biases


def read_features(embeddings: Embeddings, split: str, *, with_windows: bool = False) -> Features:
    """Reads the vectors of a split ("train" or "validation"), in its order."""
    count, read, found = embeddings.image_counts[split], 0, None
    for file in embeddings.files(split):
        shard = vector_file.read(file, with_windows=with_windows)
        if found is None:  # at once for all: a million images are gigabytes
            found = Features(np.empty(count, np.int64), np.empty((count, *shard.views.shape[1:]), shard.views.dtype))
        rows = slice(read, read := read + len(shard.labels))
        found.labels[rows], found.views[rows] = shard.labels, shard.views
    assert found is not None
    return found


def fit_head(features: Features, class_count: int, class_balance: float) -> Head:
    """Returns the strongest shrinkage that tells held-out images as well as any does, as far as they can tell.

    That is by their cross-entropy, within one standard error: Hastie et al., section 7.10.

    Args:
        features: of the training split.
        class_count: number of classes.
        class_balance: how much images of rare classes count more. 0: all images count the same; 1: all classes do.

    There are two images or more.
    """
    mean = features.views.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    folds = fold_of_images(features.labels)
    moments = [_moments(features, folds == fold, mean, class_count) for fold in range(FOLDS)]
    everything = sum(moments[1:], start=moments[0])
    held_out, logits = [], []
    for fold in range(1 if len(folds) >= ONE_FOLD_IMAGES else FOLDS):
        in_fold = np.flatnonzero(folds == fold)
        if 0 < len(in_fold) < len(folds):
            images = in_fold[:: -(-len(in_fold) // MOST_HELD_OUT_IMAGES)]
            layers = _layers(everything - moments[fold], SHRINKAGES, class_balance)
            views = mean_views(features.views[images, : len(VIEWS)]) - mean
            held_out.append(images)
            logits.append(np.stack([layer.logits(views) for layer in layers]))
    numbers, said = np.concatenate(held_out), np.concatenate(logits, axis=1)  # said: (shrinkages, n, classes)
    labels = features.labels[numbers]
    best, scale = _choose(said, labels, _image_weights(features.labels, class_count, class_balance)[numbers])
    layer = _layers(everything, (SHRINKAGES[best],), class_balance)[0].scaled(scale)
    return Head(
        weights=layer.weights,
        biases=layer.biases - mean @ layer.weights,
        shrinkage=SHRINKAGES[best],
        held_out_logits=said[best] * np.float32(scale),
        held_out_labels=labels,
    )


def mean_views(views: NDArray[np.floating[Any]]) -> Floats:
    """Returns the mean over the views of each image: (n, views, features) to float32 (n, features)."""
    return views.mean(axis=1, dtype=np.float32)


def _moments(features: Features, chosen: NDArray[np.bool_], mean: Floats, class_count: int) -> Moments:
    """Returns the sums over all views of the chosen images, less `mean`."""
    images, (_, views, size) = np.flatnonzero(chosen), features.views.shape
    found = Moments.zeros(class_count, size)
    for first in range(0, len(images), BLOCK_IMAGES):
        block = images[first : first + BLOCK_IMAGES]
        rows = (features.views[block] - mean).reshape(-1, size)
        found += Moments.of(rows, np.repeat(features.labels[block], views), np.ones(len(rows), np.float32), class_count)
    return found


def _layers(moments: Moments, shrinkages: tuple[float, ...], class_balance: float) -> list[Layer]:
    """Returns the discriminants; a class without images is never the likeliest one.

    Its logit is the mean of the others with the lowest of their biases, and so below the largest.
    """
    layers = moments.layers(shrinkages, class_balance)
    for weights, biases in layers:
        known = np.isfinite(biases)
        weights[:, ~known] = weights[:, known].mean(axis=1, keepdims=True)
        biases[~known] = biases[known].min() - np.log(2)
    return layers


def _choose(logits: Floats, labels: NDArray[np.int64], image_weights: Floats) -> tuple[int, float]:
    """Returns the place of the chosen shrinkage, and the scale of its logits (shrinkages, n, classes)."""
    scales, losses = [], []
    for said in logits:
        by_scale = [image_weights * _cross_entropies(said * np.float32(scale), labels) for scale in SCALES]
        means = np.array([loss.mean() for loss in by_scale])
        best = int(np.argmax(means <= means.min() + HARDLY_WORSE))  # the first
        scales.append(float(SCALES[best]))
        losses.append(by_scale[best])
    worse = np.stack(losses) - min(losses, key=np.sum)
    as_good = worse.mean(axis=1) <= worse.std(axis=1) / np.sqrt(len(labels))
    place = int(np.argmax(as_good))  # the first
    return place, scales[place]


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
    """Returns the weight of each image, with mean 1."""
    return class_weights(np.bincount(labels, minlength=class_count), class_balance)[labels]


def _cross_entropies(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    return -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
