"""Computes confidence intervals at 95 %."""

from __future__ import annotations

import math
from typing import NamedTuple

NORMAL_QUANTILE = 1.959964  # the 0.975 quantile of the normal distribution
FEW_TEST_IMAGES = 100  # on fewer, the interval of an accuracy of 0.75 is wider than 16 points


class Interval(NamedTuple):
    """Bounds between which the true value lies in 95 of 100 such experiments."""

    low: float
    high: float


def wilson(fraction: float, count: int) -> Interval:
    """Returns the interval, within 0-1, of a fraction observed in `count` > 0 trials (E. B. Wilson, JASA 22, 1927)."""
    squared = NORMAL_QUANTILE**2
    scale = 1 + squared / count
    centre = (fraction + squared / (2 * count)) / scale
    margin = NORMAL_QUANTILE * math.sqrt(fraction * (1 - fraction) / count + squared / (4 * count**2)) / scale
    return Interval(max(0.0, centre - margin), min(1.0, centre + margin))


def normal(value: float, standard_error: float, lowest: float = -math.inf, highest: float = math.inf) -> Interval:
    """Returns the interval of a figure that is nearly normal, cut off at `lowest` and `highest`."""
    margin = NORMAL_QUANTILE * standard_error
    return Interval(max(lowest, value - margin), min(highest, value + margin))


def paired_difference(gained: int, lost: int, count: int) -> Interval:
    """Returns the interval of the change in a fraction between two tries at the same `count` > 0 trials.

    It is Wald's, on the discordant pairs.

    Args:
        gained: trials that only the second try got right.
        lost: trials that only the first try got right.
        count: all trials.
    """
    difference = (gained - lost) / count
    return normal(difference, math.sqrt(max(gained + lost - (gained - lost) ** 2 / count, 0.0)) / count)
