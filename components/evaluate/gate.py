"""Applies the gate: checks every bound, and gives the reason for each in words, also for those that hold."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from components.artifacts import Check, StartedFrom
from components.evaluate.bounds import ChangeBound, Limit
from components.evaluate.few_images import AllImages
from components.evaluate.measures import Measure
from components.evaluate.significance import Change
from components.evaluate.thresholds import OVERALL
from components.multiple_tests import holm

_HOLDS = {"min": operator.ge, "max": operator.le}
_SIGN = {"min": ">=", "max": "<="}
_WORDS = {"min": "at least", "max": "at most"}


@dataclass(frozen=True)
class Measured:
    """The figures that the gate checks."""

    figures: Mapping[str, Mapping[str, float]]  # by slice and metric: a figure that is missing or NaN does not pass
    measures: Mapping[tuple[str, str], Measure]  # by slice and metric
    baseline: str  # "version 3", or why there is none: "no version is published yet"
    has_baseline: bool
    contenders: int = 1  # number of published versions that chance may have made the best, the baseline
    all_images: AllImages | None = None  # None: the accuracy is judged by the test split alone
    advice: str = ""  # what to do if the accuracy is too low


def judge(limits: Iterable[Limit], measured: Measured) -> Iterator[Check]:
    """Yields one check for each limit, in their order."""
    limits = list(limits)
    adjusted = _adjusted(limits, measured)
    for limit in limits:
        if limit.change is None:
            yield _check_accuracy(limit, measured) if _is_accuracy(limit) else _check_figure(limit, measured)
        elif limit in adjusted:
            yield _check_change(limit, limit.change, measured, adjusted[limit])
        else:
            yield _unjudged(limit, limit.change, measured)


def check_finite(not_finite_count: int, example_count: int) -> Check:
    """Returns the check that all probabilities are finite numbers, which every model must pass."""
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


def check_unseen(started_from: StartedFrom | None) -> Iterator[Check]:
    """Yields a check, which passes, if training started from a version that may have seen the test images.

    Its reason warns that the metrics may be too high.
    """
    if started_from is None or not started_from.doubt:
        return
    yield Check(
        metric="test_images_seen",
        slice=OVERALL,
        value=math.nan,
        bound="<= 0",
        passed=True,
        reason=(
            f"Whether the model has seen these images is not known. Training began with version "
            f"{started_from.version}: {started_from.doubt}."
        ),
    )


def _is_accuracy(limit: Limit) -> bool:
    return (limit.metric, limit.slice, limit.side) == ("accuracy", OVERALL, "min")


def _check_accuracy(limit: Limit, measured: Measured) -> Check:
    """Judges by all images if the test split is small, unless the few test images alone show that it is too low.

    Then they are of another kind than the images that were trained on, or their labels are.
    """
    found, check = measured.all_images, _check_figure(limit, measured)
    if found is not None and found.test_interval.high >= limit.value:
        return _check_all_images(limit, found, measured.advice)
    if check.passed:
        return check
    advice = (found.doubt(limit.value) if found else "") or measured.advice
    return check.model_copy(update={"reason": f"{check.reason} {advice}".rstrip()})


def _check_all_images(limit: Limit, found: AllImages, advice: str) -> Check:
    value = found.pooled.accuracy
    passed = _HOLDS[limit.side](value, limit.value)
    asked = f"{_WORDS[limit.side]} {limit.value:.12g}"
    said = f"{_what(limit)} is {_shown(value, limit)}, {found}"
    return Check(
        metric=limit.metric,
        slice=limit.slice,
        value=value,
        cross_validated=True,
        interval=tuple(found.interval),
        bound=f"{_SIGN[limit.side]} {limit.value:.12g}",
        passed=passed,
        reason=f"{said}, {asked} as asked." if passed else f"{said}: it must be {asked}. {advice}".rstrip(),
    )


def _check_figure(limit: Limit, measured: Measured) -> Check:
    value = measured.figures.get(limit.slice, {}).get(limit.metric, math.nan)
    measure = measured.measures.get((limit.slice, limit.metric))
    passed = _HOLDS[limit.side](value, limit.value)
    return Check(
        metric=limit.metric,
        slice=limit.slice,
        value=value,
        interval=tuple(measure.interval) if measure and math.isfinite(value) else None,
        bound=f"{_SIGN[limit.side]} {limit.value:.12g}",
        passed=passed,
        reason=_reason(limit, value, passed, is_empty=limit.slice not in measured.figures)
        + (_never(measure) if measure else ""),
    )


def _reason(limit: Limit, value: float, passed: bool, is_empty: bool) -> str:
    asked = f"{_WORDS[limit.side]} {limit.value:.12g}"
    if is_empty:
        return f"{_what(limit)} is unknown: the test split has no such image. It must be {asked}."
    if math.isnan(value):
        return f"{_what(limit)} is not a number. It must be {asked}."
    shown = _shown(value, limit)
    return f"{_what(limit)} is {shown}" + (f", {asked} as asked." if passed else f": it must be {asked}.")


def _shown(value: float, limit: Limit) -> str:
    """Writes four digits, or as many as it takes to lie on the same side of the limit."""
    holds = _HOLDS[limit.side]
    texts = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next(text for text in texts if holds(float(text), limit.value) == holds(value, limit.value))


def _what(limit: Limit) -> str:
    return limit.metric if limit.slice == OVERALL else f"{limit.metric} of {limit.slice}"


def _adjusted(limits: Sequence[Limit], measured: Measured) -> dict[Limit, float]:
    """Returns the p-value of every change that can be judged, corrected for the choices that chance had.

    These are the slices of the metric (Holm), and the versions that may have become the baseline (Bonferroni).
    """
    found: dict[Limit, float] = {}
    families: dict[tuple[str, bool], list[Limit]] = {}
    for limit in dict.fromkeys(limits):
        change = _change(limit, measured)
        if limit.change is not None and change is not None and change.baseline_images >= limit.change.min_images:
            families.setdefault((limit.metric, limit.slice == OVERALL), []).append(limit)
            p_value = change.p_below(limit.value) if limit.side == "min" else change.p_above(limit.value)
            found[limit] = p_value * measured.contenders
    for family in families.values():
        found |= zip(family, holm([found[limit] for limit in family]), strict=True)
    return found


def _change(limit: Limit, measured: Measured) -> Change | None:
    measure = measured.measures.get((limit.slice, limit.metric))
    return None if measure is None else measure.change


def _check_change(limit: Limit, bound: ChangeBound, measured: Measured, p_value: float) -> Check:
    measure, change = measured.measures[limit.slice, limit.metric], _change(limit, measured)
    assert change is not None
    passed = p_value >= 1 - bound.confidence
    low, high = change.interval
    return Check(
        metric=limit.metric,
        slice=limit.slice,
        of="change",
        value=change.difference,
        interval=(low, high),
        bound=f"{_SIGN[limit.side]} {_signed(limit.value)}",
        p_value=p_value,
        passed=passed,
        reason=(
            f"{_what(limit)} went from {measure.baseline_value:.4g} in {measured.baseline} to {measure.value:.4g}, "
            f"{change.difference:+.4f} ({low:+.4f} to {high:+.4f}): {_conclusion(limit, change, p_value, passed)} "
            f"(p = {p_value:.2g}{_chosen(measured)}, {change.images} images)."
            f"{_never(measure)}"
        ),
    )


def _never(measure: Measure) -> str:
    return " The model names no image as this class, which counts as 0." if measure.is_empty else ""


def _chosen(measured: Measured) -> str:
    return f" for the best of {measured.contenders} versions" if measured.contenders > 1 else ""


def _conclusion(limit: Limit, change: Change, p_value: float, passed: bool) -> str:
    asked = f"{_WORDS[limit.side]} {_signed(limit.value)}"
    if not passed:
        return f"it must be {asked}, and chance is no explanation"
    if _HOLDS[limit.side](change.difference, limit.value):
        return f"{asked} as asked"
    return f"it should be {asked}, and chance may explain the rest"


def _signed(margin: float) -> str:
    return f"{margin:+.12g}" if margin else "0"


def _unjudged(limit: Limit, bound: ChangeBound, measured: Measured) -> Check:
    """Returns a check that passes, because the baseline has no figure, or one that rests on too few images."""
    change = _change(limit, measured)
    if not measured.has_baseline:
        why = f"{measured.baseline}, so there is nothing to compare with"
    elif change is None:
        why = f"{measured.baseline} has no such figure on these images"
    else:
        why = f"{change.baseline_images} images are fewer than {bound.min_images}"
    return Check(
        metric=limit.metric,
        slice=limit.slice,
        of="change",
        value=math.nan if change is None else change.difference,
        bound=f"{_SIGN[limit.side]} {_signed(limit.value)}",
        passed=True,
        reason=f"The change of {_what(limit)} is not judged: {why}.",
    )
