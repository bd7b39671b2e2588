"""What TFMA lacks or takes long for, in every slice: AUC, calibration error, intervals, changes from the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.evaluate import influence
from components.evaluate.answers import Answers
from components.evaluate.influence import Estimate
from components.evaluate.paired import Change, figure_change, fraction_change
from components.evaluate.prediction import Predictions
from components.evaluate.thresholds import OVERALL, class_slice, top_k_metric
from components.intervals import Interval, normal, wilson


class Measure(NamedTuple):
    """One metric in one slice."""

    slice: str
    metric: str
    value: float
    interval: Interval
    baseline_value: float | None
    change: Change | None


class Pair(NamedTuple):
    """The model's answers, and the baseline's to the same images."""

    model: Answers
    baseline: Answers | None

    def take(self, indices: NDArray[np.int64]) -> Pair:
        """Of some of the images."""
        return Pair(self.model.take(indices), self.baseline.take(indices) if self.baseline else None)


def measure(predictions: Predictions, class_names: tuple[str, ...], top_k: int) -> Iterator[Measure]:
    """Slice by slice, those without images left out."""
    labels, baseline = predictions.labels, predictions.baseline_probabilities
    whole = Pair(
        Answers.of(labels, predictions.probabilities), None if baseline is None else Answers.of(labels, baseline)
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
    yield _fraction(slice_, "accuracy", pair, lambda answers: answers.right)
    if top_k < pair.model.probabilities.shape[1]:
        yield _fraction(slice_, top_k_metric(top_k), pair, lambda answers: answers.in_top(top_k))
    yield from _figure(slice_, "cross_entropy", pair, lambda answers: influence.mean(answers.loss), np.inf)
    yield from _figure(slice_, "expected_calibration_error", pair, influence.calibration_error, 1.0)


def _of_class(slice_: str, label: int, whole: Pair, indices: NDArray[np.int64]) -> Iterator[Measure]:
    """Recall is of the class's own images; the others count images of all classes, and rest on few of them."""
    yield _fraction(slice_, "recall", whole.take(indices), lambda answers: answers.right)
    yield from _figure(slice_, "precision", whole, lambda answers: influence.precision(answers, label), 1.0)
    yield from _figure(slice_, "f1", whole, lambda answers: influence.f1(answers, label), 1.0)
    yield from _figure(slice_, "auc", whole, lambda answers: influence.auc(answers, label), 1.0)


def _macro_auc(answers: Answers) -> Estimate | None:
    """The mean over the classes that tell images of this slice apart."""
    found = (influence.auc(answers, int(label)) for label in np.unique(answers.labels))
    return influence.average(each for each in found if each is not None)


def _fraction(slice_: str, metric: str, pair: Pair, right: Callable[[Answers], NDArray[np.bool_]]) -> Measure:
    own = right(pair.model)
    value = float(own.mean())
    other = right(pair.baseline) if pair.baseline else None
    return Measure(
        slice_,
        metric,
        value,
        wilson(value, len(own)),
        None if other is None else float(other.mean()),
        None if other is None else fraction_change(own, other),
    )


def _figure(
    slice_: str, metric: str, pair: Pair, estimate: Callable[[Answers], Estimate | None], highest: float
) -> Iterator[Measure]:
    """Nothing where the metric is not defined."""
    own = estimate(pair.model)
    if own is None:
        return
    other = estimate(pair.baseline) if pair.baseline else None
    yield Measure(
        slice_,
        metric,
        own.value,
        normal(own.value, own.standard_error, 0.0, highest),
        None if other is None else other.value,
        None if other is None else figure_change(own, other),
    )
