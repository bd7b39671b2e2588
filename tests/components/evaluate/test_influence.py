"""Influences against sampling the images anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from components.evaluate import influence
from components.evaluate.example_scores import ExampleScores
from components.evaluate.influence import Estimate


@pytest.fixture(scope="module")
def scores() -> ExampleScores:
    random = np.random.default_rng(5)
    labels = random.integers(0, 3, 400)
    scores = random.normal(0, 1, (400, 3))
    scores[np.arange(400), labels] += 1.2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return ExampleScores.of(labels, probabilities.round(2).astype(np.float32))  # rounded: there are ties


def test_the_area_is_the_share_of_pairs_in_order(scores: ExampleScores) -> None:
    """Mann and Whitney's U over all pairs of an image of the class and one of another."""
    found, own = influence.auc(scores, 1), scores.labels == 1
    pairs_in_order, _ = mannwhitneyu(scores.probabilities[own, 1], scores.probabilities[~own, 1])
    assert found is not None
    assert found.value == pytest.approx(pairs_in_order / (own.sum() * (~own).sum()))
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)


def test_a_class_that_is_never_or_always_there_has_no_area(scores: ExampleScores) -> None:
    ones = scores.take(np.flatnonzero(scores.labels == 1))
    assert influence.auc(ones, 1) is None
    assert influence.auc(ones, 0) is None
    assert influence.average([]) is None


def test_a_class_that_is_never_said_has_a_precision_of_0_that_rests_on_nothing(scores: ExampleScores) -> None:
    never = scores.take(np.flatnonzero(scores.predicted != 2))
    found = influence.precision(never, 2)
    assert (found.value, found.images, found.standard_error) == (0, 0, 0)


@pytest.mark.parametrize(
    "metric",
    [
        lambda scores: influence.mean(scores.loss),
        influence.calibration_error,
        lambda scores: influence.auc(scores, 0),
        lambda scores: influence.precision(scores, 0),
        lambda scores: influence.f1(scores, 2),
        lambda scores: influence.average([influence.auc(scores, label) for label in range(3)]),
    ],
    ids=["cross_entropy", "calibration_error", "auc", "precision", "f1", "macro_auc"],
)
def test_standard_errors_are_those_of_the_bootstrap(
    scores: ExampleScores, metric: Callable[[ExampleScores], Estimate]
) -> None:
    random = np.random.default_rng(0)
    samples = [metric(scores.take(random.integers(0, 400, 400))).value for _ in range(600)]
    assert metric(scores).standard_error == pytest.approx(np.std(samples), rel=0.12)


def test_what_is_no_number_is_no_confidence() -> None:
    scores = ExampleScores.of(np.array([0, 1]), np.array([[np.nan, np.inf], [0.25, 0.75]], np.float32))
    assert scores.confidence.tolist() == [0, 0.75]
    assert np.isfinite(scores.loss).all()


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    # Of 15 bins: half right at 0.5, all right at 1, which belongs to the last bin as 0.95 does.
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5], [1, 0], [0.95, 0.05]], np.float32)
    scores = ExampleScores.of(np.array([0, 1, 0, 0]), probabilities)
    assert influence.calibration_error(scores).value == pytest.approx((0 + 0.05) / 4)
