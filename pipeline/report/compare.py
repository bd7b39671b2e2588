"""Two runs side by side: what differs in figures, in classes, in what they are made of, and on which images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from components.intervals import Interval
from pipeline.dag import COMPONENTS
from pipeline.errors import explain
from pipeline.orchestrator.plan import differences
from pipeline.report.accuracy import paired_interval
from pipeline.report.classes import class_rows
from pipeline.report.page import PICTURES_PER_SHEET, Shown, show
from pipeline.report.pictures import UNREADABLE
from pipeline.report.predictions import Predictions, read_predictions
from pipeline.report.run_artifacts import RunArtifacts
from pipeline.report.verdict import Verdict, give_verdict

READS = {component.name: component.reads for component in COMPONENTS}


class Side(NamedTuple):
    """One of the runs."""

    run_id: str
    started: str
    seconds: float
    verdict: Verdict


class MetricRow(NamedTuple):
    """One figure of both; None where a run lacks it."""

    name: str
    before: float | None
    after: float | None


class ClassChange(NamedTuple):
    """The recall of one class in both; None where it has no images."""

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """None unless both are known."""
        return None if self.before is None or self.after is None else self.after - self.before


class Disagreement(NamedTuple):
    """Images that one run got right and the other wrong. What is shown of each is what the wrong one said."""

    gained: list[Shown]
    gained_count: int  # only the second is right
    lost: list[Shown]
    lost_count: int  # only the first is right
    interval: Interval | None


class Comparison(NamedTuple):
    """The first run is what the second is compared with."""

    before: Side
    after: Side
    metrics: list[MetricRow]
    classes: list[ClassChange]  # the largest change first
    causes: dict[str, list[str]]  # by component; empty lists where nothing differs
    disagreement: Disagreement | None
    obstacle: str  # why the images cannot be compared or shown, or nothing


def make_comparison(before: RunArtifacts, after: RunArtifacts) -> Comparison:
    """Reads the few images that are shown; everything else is small."""
    disagreement, obstacle = _disagreement(before, after)
    return Comparison(
        before=_side(before),
        after=_side(after),
        metrics=_metrics(before, after),
        classes=_classes(before, after),
        causes=_causes(before, after),
        disagreement=disagreement,
        obstacle=obstacle,
    )


def _side(run: RunArtifacts) -> Side:
    record = run.record
    return Side(record.run_id, record.started, record.seconds, give_verdict(run))


def _metrics(before: RunArtifacts, after: RunArtifacts) -> list[MetricRow]:
    first, second = (each.evaluation.metrics if each.evaluation else {} for each in (before, after))
    return [MetricRow(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def _classes(before: RunArtifacts, after: RunArtifacts) -> list[ClassChange]:
    first, second = (
        {row.name: row.recall for row in class_rows(each.evaluation)} if each.evaluation else {}
        for each in (before, after)
    )
    changes = [ClassChange(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]
    return sorted(changes, key=lambda change: -abs(change.difference or 0))


def _causes(before: RunArtifacts, after: RunArtifacts) -> dict[str, list[str]]:
    """What differs between the two artifacts of each component that both have."""
    return {
        name: differences(before.manifests[name].identity, after.manifests[name].identity, READS[name])
        for name in before.manifests
        if name in after.manifests
    }


def _disagreement(before: RunArtifacts, after: RunArtifacts) -> tuple[Disagreement | None, str]:
    if before.evaluation is None or after.evaluation is None:
        return None, "One of the runs evaluated no model."
    first, second = read_predictions(before.evaluation), read_predictions(after.evaluation)
    if first is None or second is None:
        return None, "One of the runs evaluated no image."
    if before.examples is None or after.examples is None or before.examples.content != after.examples.content:
        return None, "They were not evaluated on the same dataset."
    if before.examples.splits["test"] != after.examples.splits["test"]:
        return None, "They were not evaluated on the same images."
    gained, lost = _most_confident(first, second), _most_confident(second, first)
    interval = paired_interval(first, second)
    try:
        (gained_shown,) = show(before, first, (gained[:PICTURES_PER_SHEET],))
        (lost_shown,) = show(after, second, (lost[:PICTURES_PER_SHEET],))
    except UNREADABLE as error:
        return Disagreement([], len(gained), [], len(lost), interval), explain(error)
    return Disagreement(gained_shown, len(gained), lost_shown, len(lost), interval), ""


def _most_confident(wrong: Predictions, right: Predictions) -> np.ndarray:
    """Indices of images that `wrong` gets wrong and `right` right, the most confident mistake first."""
    indices = np.flatnonzero(~wrong.correct & right.correct)
    return indices[np.argsort(-wrong.confidence[indices], kind="stable")]
