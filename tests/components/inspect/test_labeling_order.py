from __future__ import annotations

import numpy as np
import pytest

from components.inspect.labeling_order import labeling_order
from tests.components.inspect.vectors_of import alike, drawn

LABELED = [drawn("train", [0, 1, 2] * 40)]


def between(first: int, second: int, count: int, seed: int) -> np.ndarray:
    """Vectors halfway between two classes: a head cannot decide."""
    halves = [drawn("train", [label] * count + [2], noise=0.3, seed=seed + label) for label in (first, second)]
    return (halves[0].views[:count] + halves[1].views[:count]) / 2


def test_unsure_images_come_before_sure_ones() -> None:
    views = np.concatenate([drawn("train", [0, 1, 2] * 100, noise=0.2, seed=3).views, between(0, 1, 10, seed=5)])
    suggested = labeling_order(views, LABELED, 3, count=2)
    chosen = suggested.images
    assert set(chosen.tolist()) <= set(range(300, 310))
    assert {frozenset(classes) for classes in suggested.likeliest.tolist()} == {frozenset({0, 1})}
    assert (suggested.probabilities[:, 0] >= suggested.probabilities[:, 1]).all()


def test_chosen_images_are_unlike_each_other() -> None:
    """Of nine shots of one scene and one of another, both scenes come first."""
    scene, other = between(0, 1, 1, seed=5), between(1, 2, 1, seed=9)
    views = np.concatenate([np.repeat(scene, 9, axis=0), other])
    first = labeling_order(views, LABELED, 3, count=10).images
    assert sorted(first.tolist()) == list(range(10))
    assert 9 in first[:2].tolist()


@pytest.mark.parametrize("count", [0, 1, 5], ids=str)
def test_there_are_fewer_images_than_asked_for(count: int) -> None:
    chosen = labeling_order(drawn("train", [0] * count).views, LABELED, 3).images
    assert sorted(chosen.tolist()) == list(range(count))


@pytest.mark.parametrize("labels", [[], [0], [0, 0], [0, 1]], ids=["none", "one", "one class", "two images"])
def test_few_labels_or_none(labels: list[int]) -> None:
    chosen = labeling_order(drawn("train", [0, 1] * 10).views, [drawn("train", labels)], 2, count=5).images
    assert len(set(chosen.tolist())) == 5


def test_images_that_are_all_alike() -> None:
    chosen = labeling_order(alike("train", [0] * 20).views, LABELED, 3, count=7).images
    assert len(set(chosen.tolist())) == 7
