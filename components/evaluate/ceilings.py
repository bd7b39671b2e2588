"""Defines and judges the bounds on what inspect finds wrong with the images and their labels, whatever the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from components.artifacts import Check
from components.component import Config
from components.evaluate.bounds import Limit
from components.findings import Findings

_ADVICE = {
    "near_copies_across_splits": "The page Data of the report shows them: leave one image of each pair out, or keep "
    "both in one split.",
    "label_issues_fraction": "The page Data of the report shows them: put them right with python -m pipeline.review.",
}


class Ceiling(Config):
    """The bound on a figure that no model changes; there is no bound if it is left out."""

    max: float | None = None


class CountCeiling(Ceiling):
    """The bound on a number of images."""

    max: int | None = Field(default=None, ge=0, description="The largest number that passes; null sets no bound.")


class FractionCeiling(Ceiling):
    """The bound on a fraction of images."""

    max: float | None = Field(
        default=None, ge=0, le=1, description="The largest fraction that passes, 0 to 1; null sets no bound."
    )


def judge_findings(limits: Iterable[Limit], findings: Findings | None) -> Iterator[Check]:
    """Yields one check for each limit, in their order. There are none unless there are findings."""
    for limit in limits if findings is not None else ():
        assert findings is not None
        value, words = _figure(limit.metric, findings)
        passed = value <= limit.value
        asked = f"at most {limit.value:.12g}"
        said = f"{limit.metric} is {value:.12g} ({words})"
        yield Check(
            metric=limit.metric,
            slice=limit.slice,
            value=value,
            bound=f"<= {limit.value:.12g}",
            passed=passed,
            reason=f"{said}, {asked} as asked." if passed else f"{said}: it must be {asked}. {_ADVICE[limit.metric]}",
        )


def _figure(metric: str, findings: Findings) -> tuple[float, str]:
    """Returns the figure that a metric bounds, and of which images it is."""
    if metric == "near_copies_across_splits":
        return findings.leaked_images, f"of {findings.image_counts.get('test', 0)} test images"
    issues, images = findings.counts.get("label_issue", 0), sum(findings.image_counts.values())
    return findings.label_issue_fraction, f"{issues} of {images} labels"
