from __future__ import annotations

import numpy as np
import pytest

from components.inspect.discriminant import FOLDS, HeldOutHead
from components.inspect.pool import Pool
from components.inspect.vectors import SplitVectors
from tests.components.inspect.vectors_of import drawn

CLASSES = 3


def log_probabilities(head: HeldOutHead) -> np.ndarray:
    return np.concatenate([found for _, found in head.held_out()])


def test_images_that_a_head_has_not_seen_are_classified() -> None:
    split = drawn("train", [0, 1, 2] * 40)
    found = log_probabilities(HeldOutHead(Pool([split]), CLASSES))
    assert (found.argmax(axis=1) == split.labels).mean() > 0.95
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)


def test_what_it_says_of_an_image_comes_from_the_others() -> None:
    """With labels at random, a head that had seen the images would know some of them."""
    labels = np.random.default_rng(0).integers(0, CLASSES, 200)
    noise = drawn("train", np.zeros(200, int))._replace(labels=labels)
    assert (log_probabilities(HeldOutHead(Pool([noise]), CLASSES)).argmax(axis=1) == labels).mean() < 0.45


def test_the_probabilities_are_about_right() -> None:
    split = drawn("train", [0, 1, 2] * 400, noise=2.5)
    probabilities = np.exp(log_probabilities(HeldOutHead(Pool([split]), CLASSES)))
    right = probabilities.argmax(axis=1) == split.labels
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


def test_images_of_small_weight_hardly_count() -> None:
    split = drawn("train", [0, 1, 2] * 40)
    wrong = np.arange(0, 60)
    relabeled = split._replace(labels=np.where(np.arange(120) < 60, 0, split.labels))
    weights = np.ones(120, np.float32)
    weights[wrong] = 1e-3
    found = log_probabilities(HeldOutHead(Pool([relabeled]), CLASSES, image_weights=weights)).argmax(axis=1)
    assert (found[split.labels > 0] == split.labels[split.labels > 0]).mean() > 0.95


def test_a_class_that_is_in_one_fold_only_is_not_known_there() -> None:
    split = drawn("train", [0, 1] * 20 + [2])
    found = log_probabilities(HeldOutHead(Pool([split]), CLASSES))
    assert found[-1, 2] == -np.inf
    assert np.isfinite(found[:, :2]).all()


def test_images_of_a_group_share_a_fold() -> None:
    """All images of class 1 are one group: no head that judges them has seen class 1."""
    split = drawn("train", [0] * 20 + [1] * 20)
    groups = {("train", index): 9 for index in range(20, 40)}
    found = log_probabilities(HeldOutHead(Pool([split]), 2, groups))
    assert (found[20:, 1] == -np.inf).all()


@pytest.mark.parametrize("labels", [[0], [0, 1], [0] * 5, list(range(FOLDS + 2))], ids=str)
def test_few_images_give_no_nan(labels: list[int]) -> None:
    splits: list[SplitVectors] = [drawn("train", labels), drawn("test", [])]
    head = HeldOutHead(Pool(splits), len(labels))
    assert not np.isnan(log_probabilities(head)).any()
    assert not np.isnan(head.log_probabilities(drawn("new", [0, 0]).views.astype(np.float32).mean(axis=1))).any()


def test_splits_are_one_set_whatever_their_bounds() -> None:
    whole = drawn("train", [0, 1, 2] * 20)
    halves = [whole._replace(labels=whole.labels[part], views=whole.views[part]) for part in np.split(np.arange(60), 2)]
    expected = log_probabilities(HeldOutHead(Pool([whole]), CLASSES))
    np.testing.assert_allclose(log_probabilities(HeldOutHead(Pool(halves), CLASSES)), expected, atol=0.05)
