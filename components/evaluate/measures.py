"""Measures in every slice what TFMA lacks or is slow at: AUC, calibration error, intervals, and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.evaluate import influence
from components.evaluate.example_scores import ExampleScores
from components.evaluate.influence import Estimate
from components.evaluate.prediction import Predictions
from components.evaluate.significance import Change, figure_change, fraction_change
from components.evaluate.thresholds import OVERALL, class_slice, top_k_metric
from components.intervals import Interval, normal, wilson


class Measure(NamedTuple):
    """The value of one metric in one slice, with its interval and its change from the baseline."""

    slice: str
    metric: str
    value: float
    interval: Interval
    baseline_value: float | None
    change: Change | None
    is_empty: bool = False  # whether the model names no image as the class, so that its precision counts as 0


class Pair(NamedTuple):
    """The scores of the model, and those of the baseline on the same images."""

    model: ExampleScores
    baseline: ExampleScores | None

    def take(self, indices: NDArray[np.int64]) -> Pair:
        """Returns the scores of some of the images."""
        return Pair(self.model.take(indices), self.baseline.take(indices) if self.baseline else None)


def measure(predictions: Predictions, class_names: tuple[str, ...], top_k: int) -> Iterator[Measure]:
    """Yields the measures slice by slice; slices without images are left out."""
    labels, baseline = predictions.labels, predictions.baseline_probabilities
    whole = Pair(
        ExampleScores.of(labels, predictions.probabilities),
        None if baseline is None else ExampleScores.of(labels, baseline),
    )
    for slice_, indices in _members(predictions):
        part = whole if slice_ == OVERALL else whole.take(indices)
        yield from _of_any_slice(slice_, part, top_k)
        yield from _figure(slice_, "auc", part, _macro_auc, 1.0)
    for label, name in enumerate(class_names):
        indices = np.flatnonzero(labels == label)
        if len(indices):
            yield from _of_any_slice(class_slice(name), whole.take(indices), top_k)
            yield from _of_class(class_slice(name), label, whole, indices)


def _members(predictions: Predictions) -> Iterator[tuple[str, NDArray[np.int64]]]:
    yield OVERALL, np.arange(len(predictions.labels))
    for name, values in predictions.slices.items():
        for value in np.unique(values):
            yield f"{name}={value}", np.flatnonzero(values == value)


def _of_any_slice(slice_: str, pair: Pair, top_k: int) -> Iterator[Measure]:
    yield _fraction(slice_, "accuracy", pair, lambda scores: scores.correct)
    if top_k < pair.model.probabilities.shape[1]:
        yield _fraction(slice_, top_k_metric(top_k), pair, lambda scores: scores.in_top(top_k))
    yield from _figure(slice_, "cross_entropy", pair, lambda scores: influence.mean(scores.loss), np.inf)
    yield from _figure(slice_, "expected_calibration_error", pair, influence.calibration_error, 1.0)


def _of_class(slice_: str, label: int, whole: Pair, indices: NDArray[np.int64]) -> Iterator[Measure]:
    """Yields a class's metrics. Recall is of the class's own images; the others count images of all classes."""
    yield _fraction(slice_, "recall", whole.take(indices), lambda scores: scores.correct)
    yield from _figure(slice_, "precision", whole, lambda scores: influence.precision(scores, label), 1.0)
    yield from _figure(slice_, "f1", whole, lambda scores: influence.f1(scores, label), 1.0)
    yield from _figure(slice_, "auc", whole, lambda scores: influence.auc(scores, label), 1.0)


def _macro_auc(scores: ExampleScores) -> Estimate | None:
    """Estimates the mean AUC over the classes for which it is defined in this slice."""
    found = (influence.auc(scores, int(label)) for label in np.unique(scores.labels))
    return influence.average(each for each in found if each is not None)


def _fraction(slice_: str, metric: str, pair: Pair, correct: Callable[[ExampleScores], NDArray[np.bool_]]) -> Measure:
    own = correct(pair.model)
    value = float(own.mean())
    other = correct(pair.baseline) if pair.baseline else None
    return Measure(
        slice_,
        metric,
        value,
        wilson(value, len(own)),
        None if other is None else float(other.mean()),
        None if other is None else fraction_change(own, other),
    )


def _figure(
    slice_: str, metric: str, pair: Pair, estimate: Callable[[ExampleScores], Estimate | None], highest: float
) -> Iterator[Measure]:
    """Yields the measure; nothing if the metric is not defined for these images, whatever a model says."""
    own = estimate(pair.model)
    if own is None:
        return
    other = estimate(pair.baseline) if pair.baseline else None
    yield Measure(
        slice_,
        metric,
        own.value,
        normal(own.value, own.standard_error, 0.0, highest) if own.images else Interval(0.0, highest),
        None if other is None else other.value,
        None if other is None else figure_change(own, other),
        is_empty=not own.images,
    )
