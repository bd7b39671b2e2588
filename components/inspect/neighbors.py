"""Finds the nearest neighbors of vectors by blocks of matrix products: of few against all, of many within cells.

Cells are k-means clusters of the vectors. A vector is compared with those of the few cells whose centers are nearest to
it: of 60,000 vectors with a seventh, of a million with a hundredth. Near copies, for which it is made, are nearly
always in one of the cells. The libraries that were timed took longer (docs/benchmarks/findings.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT_VECTORS = 20_000  # up to here all are compared with all
PROBED_CELLS = 8
_VECTORS_PER_CELL = 1000
_BLOCK_VALUES = 1 << 24  # of a block of similarities: 64 MiB
_SAMPLED_PER_CELL, _ROUNDS = 50, 5


class Neighbors(NamedTuple):
    """For each query its nearest vectors, in no order. Where there are fewer than asked for, the index is -1."""

    indices: NDArray[np.int64]  # (queries, k)
    cosines: NDArray[np.float32]  # (queries, k)


def nearest(queries: NDArray[np.floating], vectors: NDArray[np.floating], k: int) -> Neighbors:
    """Returns the `k` vectors with the largest cosine for each query: exactly for few vectors, nearly for many.

    Args:
        queries: (queries, features), of length 1, float16 or float32.
        vectors: (vectors, features), of length 1.
        k: how many are wanted of each.
    """
    found = Neighbors(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -2, np.float32))
    if len(vectors) <= EXACT_VECTORS:
        _search(queries, np.arange(len(queries)), vectors, np.arange(len(vectors)), found)
        return found
    centers = _find_centers(vectors, -(-len(vectors) // _VECTORS_PER_CELL))
    cells = nearest(vectors, centers, 1).indices[:, 0]
    probed = nearest(queries, centers, min(PROBED_CELLS, len(centers))).indices
    members, askers = _group(cells, len(centers)), _group(probed.ravel(), len(centers))
    for inside, asking in zip(members, askers, strict=True):
        _search(queries, asking // probed.shape[1], vectors, inside, found)
    return found


def _group(cells: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Returns the positions of each cell in `cells`."""
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.searchsorted(cells[order], np.arange(1, count)))


def _search(
    queries: NDArray[np.floating],
    asking: NDArray[np.int64],
    vectors: NDArray[np.floating],
    inside: NDArray[np.int64],
    found: Neighbors,
) -> None:
    """Compares some queries with some vectors, and puts those that are nearer than what was found into `found`."""
    k = found.indices.shape[1]
    bank = vectors[inside].astype(np.float32)
    rows = max(1, _BLOCK_VALUES // max(1, len(inside)))
    for first in range(0, len(asking) if len(inside) else 0, rows):
        block = asking[first : first + rows]
        cosines = queries[block].astype(np.float32) @ bank.T
        best = np.argpartition(cosines, -k, axis=1)[:, -k:] if k < len(inside) else _all(cosines)
        all_cosines = np.concatenate([found.cosines[block], np.take_along_axis(cosines, best, axis=1)], axis=1)
        all_indices = np.concatenate([found.indices[block], inside[best]], axis=1)
        kept = np.argpartition(all_cosines, -k, axis=1)[:, -k:]
        found.cosines[block] = np.take_along_axis(all_cosines, kept, axis=1)
        found.indices[block] = np.take_along_axis(all_indices, kept, axis=1)


def _all(cosines: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape)


def _find_centers(vectors: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Returns the centers (count, features), of length 1, of k-means clusters of a sample; the same each time."""
    random = np.random.default_rng(0)
    sample = vectors[np.sort(random.choice(len(vectors), min(len(vectors), count * _SAMPLED_PER_CELL), replace=False))]
    sample = sample.astype(np.float32)
    centers = sample[random.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        cells = nearest(sample, centers, 1).indices[:, 0]
        for cell, inside in enumerate(_group(cells, count)):
            if len(inside):
                centers[cell] = sample[inside].sum(axis=0)
        centers /= np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-6)
    return centers
