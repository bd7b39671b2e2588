"""Computes how much each image counts in a metric, from which the standard errors of metrics and differences follow.

To first order a metric of n images is its true value plus the sum of the images' influences, which are independent.
Its variance is the sum of their squares. The variance of a difference between two models on the same images is the sum
of the squared differences (F. R. Hampel, JASA 69 (1974); for areas under curves it is DeLong's method).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.evaluate.example_scores import CALIBRATION_BINS, ExampleScores


class Estimate(NamedTuple):
    """The value of a metric, and the influence of each image on it, float64 (n,)."""

    value: float
    influence: NDArray[np.float64]
    images: int  # number of images that it rests on: fewer than n for a metric of one class

    @property
    def standard_error(self) -> float:
        """The standard error of the value."""
        return float(np.sqrt(np.square(self.influence).sum()))


def mean(values: NDArray[np.float64]) -> Estimate:
    """Estimates the mean of a figure of each image, (n,), n > 0."""
    average = float(values.mean())
    return Estimate(average, (values - average) / len(values), len(values))


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64], images: int) -> Estimate | None:
    """Estimates the ratio of two sums over images, (n,) each; None if the second sum is 0.

    `images` is the number of images that it rests on.
    """
    total = float(denominator.sum())
    if not total:
        return None
    value = float(numerator.sum()) / total
    return Estimate(value, (numerator - value * denominator) / total, images)


def precision(scores: ExampleScores, label: int) -> Estimate:
    """Estimates a class's precision: the fraction right of the images predicted as the class.

    It rests on these images. If there are none it is 0, as in `tables.class_figures`: a model gains nothing by never
    predicting a class.
    """
    predicted = scores.predicted == label
    images = int(predicted.sum())
    found = ratio((predicted & scores.correct).astype(np.float64), predicted.astype(np.float64), images)
    return found or Estimate(0.0, np.zeros(len(predicted)), 0)


def f1(scores: ExampleScores, label: int) -> Estimate | None:
    """Estimates the harmonic mean of a class's precision and recall. It rests on the images of the class."""
    predicted, true = scores.predicted == label, scores.labels == label
    return ratio(2.0 * (predicted & true), predicted.astype(np.float64) + true, int(true.sum()))


def calibration_error(scores: ExampleScores) -> Estimate:
    """Estimates the expected calibration error, with bins of equal width (Naeini, Cooper, Hauskrecht 2015)."""
    gaps = scores.correct - scores.confidence
    signs = np.sign(np.bincount(scores.bins, gaps, CALIBRATION_BINS))
    return mean(signs[scores.bins] * gaps)


def auc(scores: ExampleScores, label: int) -> Estimate | None:
    """Estimates the area under the ROC curve of a class against all others; None if all or no images are of it.

    It rests on the images of the class, or on the others if they are fewer.

    The value is exact, with ties counted half: the Mann-Whitney statistic. Influences are as in E. R. DeLong,
    D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988).
    """
    true = scores.labels == label
    trues, others = int(true.sum()), int((~true).sum())
    if not trues or not others:
        return None
    said = scores.by_class[label]
    others_below, trues_below = _below(said[true], said[~true])
    value = float(others_below.mean()) / others
    influence = np.empty(len(said))
    influence[true] = (others_below / others - value) / trues
    influence[~true] = (1 - trues_below / trues - value) / others
    return Estimate(value, influence, min(trues, others))


def _below(few: NDArray[np.float32], many: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns how many of `many` are below each of `few`, and the other way round; equal ones count half.

    Only `few` is sorted: a class of 1,000 has 50 images of 50,000.
    """
    order = np.argsort(few)
    below, up_to = (np.searchsorted(few[order], many, side) for side in ("left", "right"))
    counts = np.cumsum(np.bincount(below, minlength=len(few) + 1) + np.bincount(up_to, minlength=len(few) + 1))
    many_below = np.empty(len(few))
    many_below[order] = counts[:-1] / 2
    return many_below, (below + up_to) / 2


def average(estimates: Iterable[Estimate]) -> Estimate | None:
    """Estimates the mean of estimates on the same images; None for no estimates.

    It rests on as few images as the weakest.

    It takes one estimate after the other: of 1,000 classes, their influences are large.
    """
    value, influence, count, fewest = 0.0, np.zeros(()), 0, sys.maxsize
    for each in estimates:
        value, influence, count = value + each.value, influence + each.influence, count + 1
        fewest = min(fewest, each.images)
    return Estimate(value / count, influence / count, fewest) if count else None
