from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from components.train.head import FOLDS, ONE_FOLD_IMAGES, SHRINKAGES, Features, fit_head, fold_of_images

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
    """Wherever the features lie, and whatever their unit."""
    features, judged = drawn((20, 20), noise=2.0), drawn((50, 50), noise=2.0, seed=1).views[:, 0]
    moved = features._replace(views=features.views * 4 + 100)
    said = fit_head(features, 2, class_balance=0.0).logits(judged)
    np.testing.assert_allclose(fit_head(moved, 2, class_balance=0.0).logits(judged * 4 + 100), said, atol=1e-2)


def test_the_probabilities_are_about_right() -> None:
    features, judged = drawn((40, 40, 40), noise=3.0), drawn((500, 500, 500), noise=3.0, seed=1)
    log_probabilities = log_softmax(fit_head(features, 3, 0.0).logits(judged.views.mean(axis=1)), axis=1)
    right = log_probabilities.argmax(axis=1) == judged.labels
    assert np.exp(log_probabilities.max(axis=1)).mean() == pytest.approx(right.mean(), abs=0.05)


def correlated(images: int, seed: int) -> Features:
    """Two classes that differ where features hardly vary; what they share varies ten times as much."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 2
    views = random.normal(0, 1, (images, 2, FEATURES)) * np.where(np.arange(FEATURES) < 8, 10, 1)
    views[:, :, -1] += labels[:, None] * 3
    return Features(labels, views.astype(np.float32))


def test_what_varies_together_gets_the_weakest_shrinkage_and_noise_the_strongest() -> None:
    together, noise = fit_head(correlated(600, seed=0), 2, 0.0), fit_head(drawn((40, 40, 40), noise=6.0), 3, 0.0)
    assert (together.shrinkage, noise.shrinkage) == (SHRINKAGES[-1], SHRINKAGES[0])
    assert accuracy(together, correlated(400, seed=1)) > 0.7


def test_random_windows_are_fitted_on_and_not_judged_by() -> None:
    features = drawn((30, 30), noise=1.0)
    windows = np.random.default_rng(3).normal(50, 1, (60, 3, FEATURES)).astype(np.float32)
    more = features._replace(views=np.concatenate([features.views, windows], axis=1))
    plain, shown = fit_head(features, 2, 0.0), fit_head(more, 2, 0.0)
    assert not np.allclose(plain.weights, shown.weights)
    # Where its windows lie, 50 away from the images, all classes are alike.
    assert np.abs(np.diff(shown.logits(windows[:, 0]), axis=1)).max() < 50


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


def test_a_class_without_images_is_never_the_likeliest() -> None:
    head = fit_head(drawn((6, 6), noise=3.0), 4, 0.0)
    anywhere = np.random.default_rng(0).normal(0, 1000, (2000, FEATURES)).astype(np.float32)
    assert set(head.logits(anywhere).argmax(axis=1)) == {0, 1}
    assert np.isfinite(head.biases).all()


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


def test_of_very_many_images_a_part_of_the_fold_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn((2000, 2000), noise=2.0)
    whole = fit_head(features, 2, 0.0)
    monkeypatch.setattr("components.train.head.MOST_HELD_OUT_IMAGES", 100)
    part = fit_head(features, 2, 0.0)
    assert (len(whole.held_out_labels), len(part.held_out_labels)) == (ONE_FOLD_IMAGES // FOLDS, 100)
    assert 0.4 < part.held_out_labels.mean() < 0.6


def test_features_as_stored_give_nearly_the_same_head() -> None:
    features = drawn((40, 40, 40), noise=3.0)
    stored = fit_head(features._replace(views=features.views.astype(np.float16)), 3, 0.0)
    assert stored.weights.dtype == np.float32
    np.testing.assert_allclose(stored.weights, fit_head(features, 3, 0.0).weights, atol=1e-2)
