"""The one figure, how sure it is, and how it compares with the version and the run before."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.artifacts import Baseline
from components.intervals import Interval, paired_difference, wilson
from pipeline.orchestrator.run_record import RunRecord, run_records
from pipeline.report.predictions import Predictions, read_predictions
from pipeline.report.run_artifacts import RunArtifacts, gather


class Change(NamedTuple):
    """The accuracy less that of another model."""

    run_id: str | None  # None where no record tells which run published the version
    what: str  # "the run before", "version 3, the best published before"
    accuracy: float  # of the other model
    difference: float
    interval: Interval | None  # None where the images are not the same

    @property
    def short(self) -> str:
        """`version 3`."""
        return self.what.partition(",")[0]


class Accuracy(NamedTuple):
    """Over the test split."""

    value: float
    interval: Interval
    images: int
    changes: tuple[Change, ...]


def find_accuracy(run: RunArtifacts, predictions: Predictions | None) -> Accuracy | None:
    """As the evaluation has it; None where there is none, or no image in it."""
    evaluation = run.evaluation
    if evaluation is None or "accuracy" not in evaluation.metrics or not evaluation.example_count:
        return None
    value = evaluation.metrics["accuracy"]
    changes = [] if evaluation.baseline is None else [_from_baseline(value, evaluation.baseline, run.root)]
    before = _run_before(run.root, run.record)
    if before is not None and before.run_id not in [change.run_id for change in changes]:
        changes.append(_from_run(value, predictions, gather(run.root, before.run_id)))
    return Accuracy(value, wilson(value, evaluation.example_count), evaluation.example_count, tuple(changes))


def accuracy_of(record: RunRecord) -> float | None:
    """The accuracy in a run's record."""
    node = record.node_with("accuracy")
    return None if node is None else node.summary.get("accuracy")


def publisher(root: Path, version: int) -> str | None:
    """The run that published a version."""
    for record in run_records(root):
        node = record.node_with("version")
        if node is not None and node.state == "ran" and node.summary.get("version") == version:
            return record.run_id
    return None


def _from_baseline(value: float, baseline: Baseline, root: Path) -> Change:
    before = baseline.metrics["accuracy"]
    return Change(
        publisher(root, baseline.version),
        f"version {baseline.version}, the best published before",
        before,
        value - before,
        Interval(*baseline.change_intervals["overall"]["accuracy"]),
    )


def _run_before(root: Path, this: RunRecord) -> RunRecord | None:
    """The last one that evaluated something else."""
    own = this.node_with("accuracy")
    earlier = [
        record
        for record in run_records(root)
        if record.started < this.started
        and accuracy_of(record) is not None
        and (node := record.node_with("accuracy")) is not None
        and own is not None
        and node.digest != own.digest
    ]
    return earlier[-1] if earlier else None


def _from_run(value: float, predictions: Predictions | None, other: RunArtifacts) -> Change:
    before = accuracy_of(other.record) or 0.0
    interval = None
    if predictions is not None and other.evaluation is not None:
        interval = paired_interval(read_predictions(other.evaluation), predictions)
    return Change(other.record.run_id, "the run before", before, value - before, interval)


def paired_interval(before: Predictions | None, after: Predictions | None) -> Interval | None:
    """Of the change in accuracy; None unless both speak of images with the same labels in the same order."""
    if before is None or after is None or not np.array_equal(before.labels, after.labels):
        return None
    gained = int((after.correct & ~before.correct).sum())
    lost = int((before.correct & ~after.correct).sum())
    return paired_difference(gained, lost, len(after.labels))
