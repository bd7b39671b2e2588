"""Chooses which images without labels would teach a classifier most: unsure ones that are unlike each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.inspect.discriminant import HeldOutHead
from components.inspect.pool import BLOCK_IMAGES, Pool, mean_view
from components.inspect.vectors import SplitVectors

COUNT = 100
CANDIDATES = 5  # times as many as are chosen: the most unsure, that the ones unlike each other are chosen from


class Suggested(NamedTuple):
    """Images to label next, the best first."""

    images: NDArray[np.int64]  # (k,), their places
    likeliest: NDArray[np.int64]  # (k, 2), the two likeliest classes of each
    probabilities: NDArray[np.float32]  # (k, 2), of these


def labeling_order(
    views: NDArray[np.float16], labeled: Sequence[SplitVectors], class_count: int, count: int = COUNT
) -> Suggested:
    """Returns which images to label next, `count` or fewer.

    Of the images between whose two likeliest classes a head on the labeled ones can least decide, each next one is the
    most unlike all that were chosen before it. With fewer than two classes to tell apart, all are equally unsure.

    Args:
        views: the vectors of the images without labels, (n, views, features).
        labeled: the vectors of the images with labels.
        class_count: number of classes, two or more.
        count: number of images to choose.
    """
    likeliest, probabilities = _two_likeliest(views, labeled, class_count)
    margins = probabilities[:, 0] - probabilities[:, 1]
    unsure = np.argsort(margins, kind="stable")[: count * CANDIDATES]
    features = mean_view(views[unsure])
    directions = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    chosen = unsure[_spread(directions, count)]
    return Suggested(chosen, likeliest[chosen], probabilities[chosen])


def _two_likeliest(
    views: NDArray[np.float16], labeled: Sequence[SplitVectors], class_count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns the two likeliest classes of each image, the likeliest first, and their probabilities, (n, 2) both."""
    pool = Pool(labeled)
    classes = np.tile(np.array([0, 1]), (len(views), 1))
    probabilities = np.zeros((len(views), 2), np.float32)
    if len(np.unique(pool.labels)) < 2:
        return classes, probabilities
    head = HeldOutHead(pool, class_count)
    for first in range(0, len(views), BLOCK_IMAGES):
        block = slice(first, first + BLOCK_IMAGES)
        said = np.exp(head.log_probabilities(mean_view(views[block])))
        classes[block] = np.argsort(-said, axis=1, kind="stable")[:, :2]
        probabilities[block] = np.take_along_axis(said, classes[block], axis=1)
    return classes, probabilities


def _spread(directions: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Returns the places of the first direction, and then each time of the one farthest from all chosen before."""
    chosen: list[int] = []
    distances = np.full(len(directions), np.inf, np.float32)
    for _ in range(min(count, len(directions))):
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, 1 - directions @ directions[chosen[-1]])
        distances[chosen] = -np.inf
    return np.array(chosen, np.int64)
