from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from components.train.head import FOLDS, ONE_FOLD_IMAGES, PENALTIES, Features, fit_head, fold_of_images

FEATURES = 16


def drawn(counts: tuple[int, ...], noise: float, seed: int = 0) -> Features:
    """Features around a center for each class; both views of an image are noisy."""
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(7).uniform(0, 3, (len(counts), FEATURES))
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
    views = centers[labels][:, None] + random.normal(0, noise, (len(labels), 2, FEATURES))
    return Features(labels, views.astype(np.float32))


def accuracy(head: object, features: Features) -> float:
    return float((head.logits(features.views.mean(axis=1)).argmax(axis=1) == features.labels).mean())  # type: ignore[attr-defined]


def test_it_tells_classes_apart_that_it_has_not_seen() -> None:
    head = fit_head(drawn((30, 30, 30), noise=1.0), 3, class_balance=0.0)
    assert accuracy(head, drawn((200, 200, 200), noise=1.0, seed=1)) > 0.97


def test_the_layer_is_for_raw_features() -> None:
    """At its minimum, the gradient of the penalized loss, here by finite differences, is zero."""
    features = drawn((20, 20), noise=2.0)
    head = fit_head(features, 2, class_balance=0.0)
    x = features.views.reshape(-1, FEATURES).astype(np.float64)
    labels = np.repeat(features.labels, 2)
    scale = features.views.std(axis=(0, 1)).mean()

    def loss(bias: float) -> float:
        logits = x @ head.weights + head.biases + np.array([bias, 0.0])
        return -float(log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())

    assert scale > 0
    assert abs(loss(1e-3) - loss(-1e-3)) / 2e-3 < 1e-3


def test_noisier_features_get_a_stronger_penalty() -> None:
    penalties = [fit_head(drawn((40, 40, 40), noise), 3, 0.0).penalty for noise in (0.2, 6.0)]
    assert penalties[0] < penalties[1]
    assert set(penalties) <= set(PENALTIES)


def test_held_out_logits_are_those_of_layers_that_have_not_seen_the_image() -> None:
    """With features that say nothing, a layer that had seen the images would know them by heart."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    head = fit_head(Features(labels, random.normal(size=(60, 2, 200)).astype(np.float32)), 2, 0.0)
    hits = head.held_out_logits.argmax(axis=1) == head.held_out_labels
    assert len(hits) == 60
    assert hits.mean() < 0.75


def test_rare_classes_count_more_if_asked() -> None:
    features, judged = drawn((200, 6), noise=3.0), drawn((100, 100), noise=3.0, seed=1)

    def recall_of_rare(class_balance: float) -> float:
        said = fit_head(features, 2, class_balance).logits(judged.views.mean(axis=1)).argmax(axis=1)
        return float((said[judged.labels == 1] == 1).mean())

    assert recall_of_rare(1.0) > recall_of_rare(0.0)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 0, 1], [0, 1], list(range(12))], ids=["one of a class", "two", "all"])
def test_classes_of_one_image(labels: list[int]) -> None:
    random = np.random.default_rng(0)
    views = random.normal(size=(len(labels), 2, FEATURES)).astype(np.float32)
    head = fit_head(Features(np.array(labels), views), max(labels) + 1, 0.0)
    assert np.isfinite(head.weights).all()
    assert head.weights.shape == (FEATURES, max(labels) + 1)


def test_folds_share_out_each_class() -> None:
    labels = np.repeat([0, 1, 2], [50, 25, 5])
    folds = fold_of_images(labels)
    for label, each in ((0, 10), (1, 5), (2, 1)):
        np.testing.assert_array_equal(np.bincount(folds[labels == label], minlength=FOLDS), each)
    np.testing.assert_array_equal(np.sort(fold_of_images(np.arange(10))), np.repeat(np.arange(FOLDS), 2))


def test_of_many_images_one_fold_is_held_out() -> None:
    head = fit_head(drawn((ONE_FOLD_IMAGES // 2,) * 2, noise=3.0), 2, 0.0)
    assert len(head.held_out_labels) == ONE_FOLD_IMAGES // FOLDS
