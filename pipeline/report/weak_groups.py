"""Finds groups of images that look alike and that a model gets wrong clearly more often than all others.

Nobody has to name such a group beforehand. The images are grouped by their vectors alone, so that a group is no more
often wrong than the rest unless there is a reason, or chance; the test says how likely chance is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import to_tree, ward
from scipy.linalg import eigh
from scipy.stats import beta, hypergeom

from components import vector_file
from components.artifacts import Embeddings
from components.multiple_tests import holm
from pipeline.report.predictions import Predictions

MOST_IMAGES = 5_000  # the distances between all pairs take 100 MB
FEWEST_IMAGES = 15  # of a group
MOST_GROUPS = 6
DIRECTIONS = 64  # of the greatest variance; the rest tells little, and distances in 1,280 take twenty times as long
FALSE_ALARMS = 0.05  # the chance of any, if the images that are wrong are strewn at random


class WeakGroup(NamedTuple):
    """Images that look alike, and that are wrong more often than the others."""

    indices: NDArray[np.int64]  # (images,), the most typical first
    wrong: int
    wrong_elsewhere: float  # fraction of all other images that are wrong, 0-1
    p_value: float  # that chance gathers as many mistakes, corrected for the number of groups that were tried

    @property
    def images(self) -> int:
        """The number of images in the group."""
        return len(self.indices)


class WeakGroups(NamedTuple):
    """The groups of a test split. Indices are in the split's order."""

    groups: list[WeakGroup]  # the worst first
    images: int  # that were looked at
    obstacle: str = ""  # why none were


def weak_groups_of(embeddings: Embeddings | None, predictions: Predictions | None) -> WeakGroups:
    """Returns the weak groups among at most 5,000 images of the test split, drawn evenly over it."""
    if predictions is None:
        return WeakGroups([], 0, "The model was not evaluated.")
    if embeddings is None or not embeddings.files("test"):
        return WeakGroups([], 0, "The test images have no vectors.")
    count = len(predictions.labels)
    drawn = np.unique(np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(np.int64))
    labels, vectors = _read_test_vectors(embeddings, drawn)
    if embeddings.image_counts["test"] != count or not np.array_equal(labels, predictions.labels[drawn]):
        return WeakGroups([], 0, "The vectors are of other images than those that were evaluated.")
    groups = find_weak_groups(vectors, predictions.correct[drawn])
    return WeakGroups([group._replace(indices=drawn[group.indices]) for group in groups], len(drawn))


def find_weak_groups(vectors: NDArray[np.floating], is_right: NDArray[np.bool_]) -> list[WeakGroup]:
    """Returns at most 6 groups that share no image, the worst first.

    Every branch of a tree of similar images (Ward's) is tried: groups may be of any size, from 15 images to half of
    all. A branch is tested with the hypergeometric distribution, and the p-values are adjusted (Holm).

    Args:
        vectors: (n, features), finite; what is near looks alike. Their length does not matter.
        is_right: bool (n,), whether the model is right.
    """
    count, mistakes = len(is_right), int((~is_right).sum())
    if count < 2 * FEWEST_IMAGES or not (points := _project(vectors)).any():
        return []
    tree = ward(points)
    sizes, wrong = _count(tree, ~is_right)
    tried = np.flatnonzero((sizes >= FEWEST_IMAGES) & (sizes <= count // 2))
    p_values = holm(hypergeom.sf(wrong[tried] - 1, count, mistakes, sizes[tried]).tolist())
    weak = {int(node): p_value for node, p_value in zip(tried, p_values, strict=True) if p_value <= FALSE_ALARMS}
    # The fraction that is wrong is at least this (Clopper-Pearson), of every branch that is tried at once.
    surely_wrong = beta.ppf(FALSE_ALARMS / max(len(tried), 1), wrong, sizes - wrong + 1)
    _, nodes = to_tree(tree, rd=True)
    groups: list[WeakGroup] = []
    taken = np.zeros(count, bool)
    # Of a branch and the branches that it is made of, the one stands for all that is surely the worst.
    for node in sorted(weak, key=lambda node: -surely_wrong[node]):
        members = np.array(nodes[node].pre_order())
        if len(groups) < MOST_GROUPS and not taken[members].any():
            taken[members] = True
            elsewhere = (mistakes - wrong[node]) / (count - sizes[node])
            groups.append(WeakGroup(_typical_first(points, members), int(wrong[node]), float(elsewhere), weak[node]))
    return groups


def _read_test_vectors(
    embeddings: Embeddings, drawn: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Reads the labels (n,) and the vectors (n, features) of the test images at `drawn`, one file after the other."""
    labels, vectors, passed = [], [], 0
    for shard in map(vector_file.read, embeddings.files("test")):
        inside = drawn[(drawn >= passed) & (drawn < passed + len(shard.labels))] - passed
        passed += len(shard.labels)
        labels.append(shard.labels[inside])
        vectors.append(shard.views[inside, 0])
    return np.concatenate(labels), np.concatenate(vectors)


def _project(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the vectors, scaled to length 1, along the directions of their greatest variance: (n, at most 64)."""
    scaled = vectors.astype(np.float32)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    scaled -= scaled.mean(axis=0)
    features = scaled.shape[1]
    _, directions = eigh(scaled.T @ scaled, subset_by_index=(max(0, features - DIRECTIONS), features - 1))
    points = (scaled @ directions).astype(np.float64)
    points[np.abs(points) < 1e-6] = 0  # rounding, where all images are alike
    return points


def _count(tree: NDArray[np.float64], is_wrong: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the images and the mistakes below each node of the tree, first those of its leaves: (2n - 1,) each."""
    count = len(is_wrong)
    sizes = np.concatenate([np.ones(count), tree[:, 3]]).astype(np.int64)
    wrong = np.concatenate([is_wrong, np.zeros(count - 1)]).astype(np.int64)
    for node, (one, other) in enumerate(tree[:, :2].astype(np.int64), start=count):
        wrong[node] = wrong[one] + wrong[other]
    return sizes, wrong


def _typical_first(points: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    distances = np.linalg.norm(points[members] - points[members].mean(axis=0), axis=1)
    ordered: NDArray[np.int64] = members[np.argsort(distances, kind="stable")]
    return ordered
