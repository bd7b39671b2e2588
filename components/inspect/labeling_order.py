"""Chooses which images without labels would teach a classifier most: unsure ones that are unlike each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.inspect.discriminant import HeldOutHead
from components.inspect.pool import BLOCK_IMAGES, Pool, mean_view
from components.inspect.vectors import SplitVectors

COUNT = 100
CANDIDATES = 5  # times as many as are chosen: the most unsure, that the ones unlike each other are chosen from


def labeling_order(
    views: NDArray[np.float16], labeled: Sequence[SplitVectors], class_count: int, count: int = COUNT
) -> NDArray[np.int64]:
    """Returns which images to label next, the best first, (at most `count`,).

    Of the images between whose two likeliest classes a head on the labeled ones can least decide, each next one is the
    most unlike all that were chosen before it. With fewer than two classes to tell apart, all are equally unsure.

    Args:
        views: the vectors of the images without labels, (n, views, features).
        labeled: the vectors of the images with labels.
        class_count: number of classes.
        count: number of images to choose.
    """
    unsure = np.argsort(_margins(views, labeled, class_count), kind="stable")[: count * CANDIDATES]
    features = mean_view(views[unsure])
    directions = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    return unsure[_spread(directions, count)]


def _margins(views: NDArray[np.float16], labeled: Sequence[SplitVectors], class_count: int) -> NDArray[np.float32]:
    """Returns the probability of the likeliest class minus that of the next, (n,)."""
    pool = Pool(labeled)
    if len(np.unique(pool.labels)) < 2:
        return np.zeros(len(views), np.float32)
    head = HeldOutHead(pool, class_count)
    margins = [np.zeros(0, np.float32)]
    for first in range(0, len(views), BLOCK_IMAGES):
        probabilities = np.exp(head.log_probabilities(mean_view(views[first : first + BLOCK_IMAGES])))
        best = np.partition(probabilities, -2, axis=1)[:, -2:]
        margins.append(best[:, 1] - best[:, 0])
    return np.concatenate(margins)


def _spread(directions: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Returns the places of the first direction, and then each time of the one farthest from all chosen before."""
    chosen: list[int] = []
    distances = np.full(len(directions), np.inf, np.float32)
    for _ in range(min(count, len(directions))):
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, 1 - directions @ directions[chosen[-1]])
        distances[chosen] = -np.inf
    return np.array(chosen, np.int64)
