"""Sums against Keras's metrics, which TFMA would compute from rows."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from components.evaluate.sums import Scores, Sums

K = 2


def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of 60 images in 5 classes: with ties, and certain of a wrong class."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 5, 60)
    scores = random.normal(0, 1, (60, 5)).round(1)
    scores[0] = 0
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    probabilities[1] = np.eye(5)[(labels[1] + 1) % 5]
    return labels, probabilities.astype(np.float32)


def test_the_figures_are_those_of_keras() -> None:
    labels, probabilities = predictions()
    total = Scores.of(labels, probabilities, K).total()
    metrics = {
        total.right: tf_keras.metrics.SparseCategoricalAccuracy(),
        total.in_top_k: tf_keras.metrics.SparseTopKCategoricalAccuracy(k=K),
        total.loss: tf_keras.metrics.SparseCategoricalCrossentropy(dtype="float64"),
    }
    assert total.examples == 60
    for found, metric in metrics.items():
        metric.update_state(labels, probabilities)
        assert found / 60 == pytest.approx(float(metric.result()), rel=1e-7 if found != total.loss else 1e-13)
    assert sum(count for (true, said), count in total.confusion.items() if true == said) == total.right
    assert total.confusion[int(labels[1]), int((labels[1] + 1) % 5)] >= 1


def test_sums_of_parts_add_up() -> None:
    labels, probabilities = predictions()
    whole = Scores.of(labels, probabilities, K).total()
    parts = [Scores.of(labels[part], probabilities[part], K).total() for part in (slice(20), slice(20, 60))]
    assert parts[0].add(parts[1]) == Sums(
        60, whole.right, whole.in_top_k, pytest.approx(whole.loss, rel=1e-13), whole.confusion
    )


def test_each_slice_has_the_sums_of_its_own_images() -> None:
    labels, probabilities = predictions()
    names = np.where(labels < 2, "few", "many")
    by = dict(Scores.of(labels, probabilities, K).by(names))
    assert sorted(by) == ["few", "many"]
    for name, found in by.items():
        own = Scores.of(labels[names == name], probabilities[names == name], K).total()
        assert (found.examples, found.right, found.in_top_k) == (own.examples, own.right, own.in_top_k)
        assert found.loss == pytest.approx(own.loss, rel=1e-13)
        assert not found.confusion


def test_what_is_no_number_is_in_no_top_and_spoils_the_loss() -> None:
    found = Scores.of(np.array([0, 1]), np.array([[np.nan, 0.5], [0.4, 0.6]], np.float32), K).total()
    assert found.in_top_k == 1
    assert np.isnan(found.loss)


def test_one_class_has_no_loss() -> None:
    found = Scores.of(np.array([0, 0]), np.ones((2, 1), np.float32), K).total()
    assert (found.right, found.in_top_k, found.loss) == (2, 2, 0)
