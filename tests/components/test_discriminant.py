from __future__ import annotations

import numpy as np
import pytest

from components.discriminant import Moments

RANDOM = np.random.default_rng(0)


def moments_of(features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> Moments:
    weights = np.ones(len(labels)) if weights is None else weights
    return Moments.of(features.astype(np.float32), labels, weights.astype(np.float32), 3)


FEATURES = RANDOM.normal(size=(60, 4)) @ RANDOM.normal(size=(4, 4))
LABELS = RANDOM.integers(0, 3, 60)


def test_it_is_the_likeliest_class_of_normal_distributions() -> None:
    means = np.stack([FEATURES[label == LABELS].mean(axis=0) for label in range(3)])
    within = FEATURES - means[LABELS]
    covariance = within.T @ within / len(FEATURES)
    covariance = 0.7 * covariance + 0.3 * np.eye(4) * np.trace(covariance) / 4
    away = FEATURES[:, None] - means
    distances = np.einsum("ncf,fg,ncg->nc", away, np.linalg.inv(covariance), away)
    expected = np.log(np.bincount(LABELS) / 60) - distances / 2
    (layer,) = moments_of(FEATURES, LABELS).layers((0.3,))
    np.testing.assert_allclose(np.diff(layer.logits(FEATURES.astype(np.float32))), np.diff(expected), atol=1e-3)


def test_balanced_classes_are_equally_likely() -> None:
    moments = moments_of(FEATURES, LABELS)
    (plain,), (balanced,) = moments.layers((0.5,)), moments.layers((0.5,), class_balance=1.0)
    log_frequencies = np.log(np.bincount(LABELS) / 60)
    np.testing.assert_allclose(plain.biases - balanced.biases, log_frequencies, atol=1e-5)


def test_sums_add_up_and_can_be_taken_out() -> None:
    whole, first = moments_of(FEATURES, LABELS), moments_of(FEATURES[:20], LABELS[:20])
    rest = moments_of(FEATURES[20:], LABELS[20:])
    for ours, theirs in ((first + rest, whole), (whole - first, rest)):
        for name in ("counts", "sums", "products"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-4)


def test_an_image_of_weight_two_counts_as_two() -> None:
    weights = np.where(np.arange(60) < 10, 2.0, 1.0)
    twice = moments_of(np.concatenate([FEATURES[:10], FEATURES]), np.concatenate([LABELS[:10], LABELS]))
    np.testing.assert_allclose(moments_of(FEATURES, LABELS, weights).products, twice.products, rtol=1e-5)


@pytest.mark.parametrize("labels", [[0], [0, 0], [0, 2]])
def test_images_that_are_all_alike_give_no_nan(labels: list[int]) -> None:
    (layer,) = moments_of(np.ones((len(labels), 4)), np.array(labels)).layers((0.3,))
    known = np.isin(range(3), labels)
    assert np.isfinite(layer.weights).all()
    np.testing.assert_array_equal(np.isfinite(layer.biases), known)
