from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from components.inspect import neighbors
from components.inspect.neighbors import nearest


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float16]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def clustered(count: int, seed: int) -> NDArray[np.float16]:
    random = np.random.default_rng(seed)
    kinds = random.normal(size=(40, 32))
    return unit(kinds[random.integers(0, 40, count)] + random.normal(size=(count, 32)))


def test_few_vectors_are_compared_with_all() -> None:
    vectors = clustered(500, seed=0)
    queries = clustered(70, seed=1)
    found = nearest(queries, vectors, 5)
    cosines = queries.astype(np.float32) @ vectors.astype(np.float32).T
    np.testing.assert_allclose(np.sort(found.cosines, axis=1), np.sort(cosines, axis=1)[:, -5:], atol=1e-3)
    np.testing.assert_allclose(found.cosines, np.take_along_axis(cosines, found.indices, axis=1), atol=1e-3)


def test_where_there_are_fewer_than_asked_for_the_rest_is_marked() -> None:
    vectors = clustered(3, seed=0)
    found = nearest(vectors, vectors, 5)
    assert sorted(found.indices[0].tolist()) == [-1, -1, 0, 1, 2]


def test_within_cells_a_copy_is_found_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_VECTORS", 1000)
    monkeypatch.setattr(neighbors, "_VECTORS_PER_CELL", 100)
    vectors = clustered(4000, seed=0)
    nearby = unit(vectors[:500] + 0.05 * np.random.default_rng(2).normal(size=(500, 32)))
    found = nearest(nearby, vectors, 3)
    assert (found.indices == np.arange(500)[:, None]).any(axis=1).mean() >= 0.99
    again = nearest(nearby, vectors, 3)
    np.testing.assert_array_equal(found.indices, again.indices)


def test_a_vector_that_is_found_in_two_cells_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_VECTORS", 100)
    vectors = clustered(2000, seed=0)
    for row in nearest(vectors[:50], vectors, 8).indices:
        assert len(set(row.tolist())) == 8
