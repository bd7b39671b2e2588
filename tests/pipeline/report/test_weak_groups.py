from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.report.predictions import Predictions
from pipeline.report.weak_groups import MOST_IMAGES, find_weak_groups, weak_groups_of
from tests.pipeline.report.inspected import embeddings

COUNT, FEATURES, WRONG = 1000, 32, 0.12


def scene(seed: int, planted: int = 0, count: int = COUNT) -> tuple[np.ndarray, np.ndarray, set[int]]:
    """Vectors of ten classes, whether the model is right, and a planted group in which it is mostly wrong."""
    random = np.random.default_rng(seed)
    vectors = random.normal(0, 1, (10, FEATURES))[random.integers(0, 10, count)]
    vectors += random.normal(0, 0.6, vectors.shape)
    is_right = random.random(count) >= WRONG
    group = random.choice(count, planted, replace=False)
    vectors[group] = random.normal(0, 1, FEATURES) + random.normal(0, 0.6, (planted, FEATURES))
    is_right[group] = random.random(planted) >= 0.75
    return vectors.astype(np.float16), is_right, set(group.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_group_is_found_with_its_numbers(seed: int) -> None:
    vectors, is_right, planted = scene(seed, planted=40)
    worst = find_weak_groups(vectors, is_right)[0]
    inside = set(worst.indices.tolist())
    assert len(inside & planted) >= 0.8 * len(inside | planted)
    assert worst.images == len(inside)
    assert worst.wrong == int((~is_right[worst.indices]).sum())
    others = np.delete(is_right, worst.indices)
    assert worst.wrong_elsewhere == pytest.approx(1 - others.mean())
    assert worst.p_value < 1e-6


def test_two_planted_groups_are_found_and_share_no_image() -> None:
    vectors, is_right, _ = scene(0, planted=40)
    vectors[:50], is_right[:50] = np.random.default_rng(9).normal(2, 0.3, (50, FEATURES)), False
    one, other, *_ = find_weak_groups(vectors, is_right)
    assert set(range(50)) == set(one.indices.tolist())
    assert not set(one.indices.tolist()) & set(other.indices.tolist())


def test_chance_makes_a_group_in_no_more_than_one_of_twenty_scenes() -> None:
    found = [bool(find_weak_groups(vectors, is_right)) for vectors, is_right, _ in map(scene, range(20))]
    assert sum(found) <= 1


def test_the_most_typical_image_comes_first() -> None:
    vectors, is_right, _ = scene(0)
    vectors[:60], is_right[:60] = np.eye(FEATURES)[0] * 4 + np.eye(FEATURES)[1] * np.linspace(0, 2, 60)[:, None], False
    (group,) = find_weak_groups(vectors, is_right)
    assert set(group.indices[-2:].tolist()) <= {0, 1, 2, 57, 58, 59}


@pytest.mark.parametrize("vectors", [np.ones((100, 8)), np.zeros((100, 8)), np.ones((4, 8)), np.ones((0, 8))])
def test_images_that_are_all_alike_or_few_have_no_groups(vectors: np.ndarray) -> None:
    assert find_weak_groups(vectors, np.arange(len(vectors)) > 40) == []


@pytest.mark.parametrize("is_right", [False, True])
def test_where_everything_is_right_or_wrong_no_group_is_worse(is_right: bool) -> None:
    assert find_weak_groups(scene(0)[0], np.full(COUNT, is_right)) == []


def predictions(labels: np.ndarray, is_right: np.ndarray) -> Predictions:
    sure = np.ones(len(labels), np.float32)
    return Predictions(labels, np.where(is_right, labels, labels + 1), sure, sure)


def test_of_many_images_some_are_drawn_and_the_indices_are_those_of_the_split(tmp_path: Path) -> None:
    count = MOST_IMAGES + 1500
    vectors, is_right, planted = scene(0, planted=260, count=count)
    labels = np.arange(count) % 3
    weak = weak_groups_of(embeddings(tmp_path, vectors, labels), predictions(labels, is_right))
    assert (weak.images, weak.obstacle) == (MOST_IMAGES, "")
    assert set(weak.groups[0].indices.tolist()) <= planted
    assert weak.groups[0].images == pytest.approx(260 * MOST_IMAGES / count, rel=0.1)


def test_without_vectors_or_predictions_there_are_no_groups_and_a_reason(tmp_path: Path) -> None:
    vectors, is_right, _ = scene(0)
    labels = np.arange(COUNT) % 3
    made = embeddings(tmp_path, vectors, labels)
    assert weak_groups_of(made, None).obstacle == "The model was not evaluated."
    assert weak_groups_of(None, predictions(labels, is_right)).obstacle == "The test images have no vectors."
    for other in (predictions(labels[:-1], is_right[:-1]), predictions(labels[::-1] + 1, is_right)):
        weak = weak_groups_of(made, other)
        assert (weak.groups, weak.images) == ([], 0)
        assert weak.obstacle == "The vectors are of other images than those that were evaluated."
