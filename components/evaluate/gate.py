"""The gate: every bound with its figure, in words, those that hold too."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping

from components.artifacts import Check
from components.evaluate.thresholds import OVERALL, Limit

_HOLDS = {"min": operator.ge, "max": operator.le}
_SIGN = {"min": ">=", "max": "<="}
_WORDS = {"min": "at least", "max": "at most"}


def judge(limits: Iterable[Limit], figures: Mapping[str, Mapping[str, float]]) -> Iterator[Check]:
    """One check a limit. `figures` are metrics by slice: what is missing there, or is no number, does not pass."""
    for limit in limits:
        value = figures.get(limit.slice, {}).get(limit.metric, math.nan)
        passed = _HOLDS[limit.side](value, limit.value)
        yield Check(
            metric=limit.metric,
            slice=limit.slice,
            value=value,
            bound=f"{_SIGN[limit.side]} {limit.value:.12g}",
            passed=passed,
            reason=_reason(limit, value, passed, is_empty=limit.slice not in figures),
        )


def check_finite(not_finite_count: int, example_count: int) -> Check:
    """A model that gives no numbers is never good enough, whatever else is asked of it."""
    reason = "All probabilities are finite numbers."
    if not_finite_count:
        reason = (
            f"The probabilities of {not_finite_count} of {example_count} images are not finite numbers: "
            "the training diverged."
        )
    return Check(
        metric="not_finite_count",
        slice=OVERALL,
        value=not_finite_count,
        bound="<= 0",
        passed=not not_finite_count,
        reason=reason,
    )


def _reason(limit: Limit, value: float, passed: bool, is_empty: bool) -> str:
    what = limit.metric if limit.slice == OVERALL else f"{limit.metric} of {limit.slice}"
    asked = f"{_WORDS[limit.side]} {limit.value:.12g}"
    if is_empty:
        return f"{what} is unknown: the blessing split has no such image. It must be {asked}."
    if math.isnan(value):
        return f"{what} is not a number. It must be {asked}."
    return f"{what} is {_shown(value, limit)}" + (f", {asked} as asked." if passed else f": it must be {asked}.")


def _shown(value: float, limit: Limit) -> str:
    """Four digits, or as many as it takes to lie on the same side of the limit."""
    holds = _HOLDS[limit.side]
    texts = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next(text for text in texts if holds(float(text), limit.value) == holds(value, limit.value))
