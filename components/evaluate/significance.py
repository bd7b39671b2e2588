"""Tests whether a model is worse than its baseline on the same images, or only seems so by chance."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from components.evaluate.influence import Estimate
from components.intervals import Interval, normal, paired_difference

# On fewer images, a standard error of 0 means nothing: a single image, which only the baseline gets right, gives 0 too.
_FEWEST_WITHOUT_NOISE = 30


class Change(Protocol):
    """The change of a metric: the model's value minus the baseline's."""

    @property
    def difference(self) -> float:
        """The model's value minus the baseline's."""
        ...

    @property
    def images(self) -> int:
        """The number of images that both values rest on."""
        ...

    @property
    def baseline_images(self) -> int:
        """The number of images that the baseline's value rests on."""
        ...

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the true difference."""
        ...

    def p_below(self, margin: float) -> float:
        """Returns the probability that chance alone shows a difference as low as this, if the true one is `margin`."""
        ...

    def p_above(self, margin: float) -> float:
        """Returns the probability that chance alone shows a difference as high as this, if the true one is `margin`."""
        ...


class FractionChange(NamedTuple):
    """The change of the fraction of images that are right."""

    gained: int  # images that only the model gets right
    lost: int  # images that only the baseline gets right
    images: int

    @property
    def baseline_images(self) -> int:
        """The number of images, which is the same for both."""
        return self.images

    @property
    def difference(self) -> float:
        """The difference of the two fractions, between -1 and 1."""
        return (self.gained - self.lost) / self.images

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference, by Wald's method."""
        return paired_difference(self.gained, self.lost, self.images)

    def p_below(self, margin: float) -> float:
        """Returns the p-value of McNemar's exact test if `margin` is 0, else that of T. Tango's score test (1998).

        McNemar's test is conditional on the images that differ.
        """
        if margin == 0:
            discordant = self.gained + self.lost
            return float(binomtest(self.gained, discordant, alternative="less").pvalue) if discordant else 1.0
        return float(norm.cdf(tango(self.gained, self.lost, self.images, margin)))

    def p_above(self, margin: float) -> float:
        """Returns the p-value of the same test, with gains and losses exchanged."""
        return FractionChange(self.lost, self.gained, self.images).p_below(-margin)


class FigureChange(NamedTuple):
    """The change of any other metric, computed from the influences of the images."""

    difference: float
    standard_error: float
    images: int
    baseline_images: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference, by the normal distribution."""
        return normal(self.difference, self.standard_error)

    def p_below(self, margin: float) -> float:
        """Returns the p-value of the paired t test; 1 if a few images show no noise to compare with."""
        distance = self.difference - margin
        if self.standard_error == 0:
            return 1.0 if distance >= 0 or self.images < _FEWEST_WITHOUT_NOISE else 0.0
        return float(t.cdf(distance / self.standard_error, max(self.images - 1, 1)))

    def p_above(self, margin: float) -> float:
        """Returns the p-value of the same test on the other side."""
        return self._replace(difference=-self.difference).p_below(-margin)


def fraction_change(correct: NDArray[np.bool_], baseline_correct: NDArray[np.bool_]) -> FractionChange:
    """Makes the change from which images the model and the baseline got right, (n,) each, n > 0."""
    return FractionChange(
        int((correct & ~baseline_correct).sum()), int((baseline_correct & ~correct).sum()), len(correct)
    )


def figure_change(model: Estimate, baseline: Estimate) -> FigureChange:
    """Makes the change from two estimates on the same images.

    A value of 0 has no noise of its own, however few images it rests on: all noise is the baseline's.
    """
    images = min(model.images, baseline.images) if model.value else baseline.images
    difference = Estimate(model.value - baseline.value, model.influence - baseline.influence, images)
    return FigureChange(difference.value, difference.standard_error, images, baseline.images)


def tango(gained: int, lost: int, images: int, margin: float) -> float:
    """Returns the score statistic of a paired difference of fractions against `margin`, -1 to 1. It is about normal.

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17 (1998), equations 6 to 8.
    """
    a = 2 * images
    b = -gained - lost + (2 * images - gained + lost) * margin
    c = -lost * margin * (1 - margin)
    lost_fraction = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = images * (2 * lost_fraction + margin * (1 - margin))
    distance = gained - lost - images * margin
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0
