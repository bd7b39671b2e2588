"""The comparison of two runs: their metrics, their classes, what they were made from, and the images they differ on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from components.intervals import Interval
from pipeline.dag import COMPONENTS
from pipeline.errors import explain
from pipeline.orchestrator.plan import differences
from pipeline.orchestrator.run_artifacts import RunArtifacts
from pipeline.report.accuracy import paired_interval
from pipeline.report.classes import class_rows
from pipeline.report.page import PICTURES_PER_SHEET, Shown, show
from pipeline.report.pictures import UNREADABLE
from pipeline.report.predictions import Predictions, read_predictions
from pipeline.report.verdict import Verdict, give_verdict

READS = {component.name: component.reads for component in COMPONENTS}


class Side(NamedTuple):
    """The summary of one of the two runs."""

    run_id: str
    started: str
    seconds: float
    verdict: Verdict


class MetricRow(NamedTuple):
    """The value of one metric in both runs; None if a run does not have it."""

    name: str
    before: float | None
    after: float | None


class ClassChange(NamedTuple):
    """The recall of one class in both runs, 0-1; None if the class has no images."""

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """The second recall minus the first; None unless both are known."""
        return None if self.before is None or self.after is None else self.after - self.before


class Disagreement(NamedTuple):
    """The images that one run classified correctly and the other did not, shown with the wrong prediction."""

    gained: list[Shown]
    gained_count: int  # only the second is right
    lost: list[Shown]
    lost_count: int  # only the first is right
    interval: Interval | None


class Comparison(NamedTuple):
    """Everything that the comparison page shows. The second run is compared with the first."""

    before: Side
    after: Side
    metrics: list[MetricRow]
    classes: list[ClassChange]  # the largest change first
    causes: dict[str, list[str]]  # what differs, by component; an empty list if nothing does
    disagreement: Disagreement | None
    obstacle: str  # why the images cannot be compared or shown; empty if they can


def make_comparison(before: RunArtifacts, after: RunArtifacts) -> Comparison:
    """Returns the comparison of two runs. Of the dataset it reads only the few images that are shown."""
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
    """Returns what differs between the two artifacts of each component, for components that both runs have."""
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
    """Returns indices of images that `wrong` gets wrong and `right` right, the most confident mistake first."""
    indices = np.flatnonzero(~wrong.correct & right.correct)
    return indices[np.argsort(-wrong.confidence[indices], kind="stable")]
