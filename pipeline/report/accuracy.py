"""The one figure, how sure it is, and how it compares with earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.intervals import Interval, paired_difference, wilson
from pipeline.record import RunRecord, run_records
from pipeline.report.evidence import Evidence, gather
from pipeline.report.predictions import Predictions, read_predictions


class Change(NamedTuple):
    """The accuracy less that of another run."""

    run_id: str
    what: str  # "the run before", "the best published so far"
    accuracy: float  # of the other run
    difference: float
    interval: Interval | None  # None where the images are not the same


class Accuracy(NamedTuple):
    """Over the blessing split."""

    value: float
    interval: Interval
    images: int
    changes: tuple[Change, ...]


def find_accuracy(evidence: Evidence, predictions: Predictions | None) -> Accuracy | None:
    """As the evaluation has it; None where there is none, or no image in it."""
    evaluation = evidence.evaluation
    if evaluation is None or "accuracy" not in evaluation.metrics or not evaluation.example_count:
        return None
    value = evaluation.metrics["accuracy"]
    changes = tuple(
        _change(value, predictions, gather(evidence.root, record.run_id), what)
        for what, record in _others(evidence.root, evidence.record).items()
    )
    return Accuracy(value, wilson(value, evaluation.example_count), evaluation.example_count, changes)


def accuracy_of(record: RunRecord) -> float | None:
    """The accuracy in a run's record."""
    node = record.node("evaluate")
    return None if node is None else node.summary.get("accuracy")


def _others(root: Path, this: RunRecord) -> dict[str, RunRecord]:
    """What to compare a run with, by what it is: none, one or two runs, both with another evaluation than its own."""
    own = this.node("evaluate")
    earlier = [
        record
        for record in run_records(root)
        if record.started < this.started
        and accuracy_of(record) is not None
        and (node := record.node("evaluate")) is not None
        and own is not None
        and node.digest != own.digest
    ]
    if not earlier:
        return {}
    published = [record for record in earlier if record.state == "pushed"]
    best = max(published, key=lambda record: accuracy_of(record) or 0, default=None)
    if best is None or best.run_id == earlier[-1].run_id:
        return {"the run before": earlier[-1]}
    return {"the run before": earlier[-1], "the best published before": best}


def _change(value: float, predictions: Predictions | None, other: Evidence, what: str) -> Change:
    before = accuracy_of(other.record) or 0.0
    interval = None
    if predictions is not None and other.evaluation is not None:
        interval = paired_interval(read_predictions(other.evaluation), predictions)
    return Change(other.record.run_id, what, before, value - before, interval)


def paired_interval(before: Predictions | None, after: Predictions | None) -> Interval | None:
    """Of the change in accuracy; None unless both speak of images with the same labels in the same order."""
    if before is None or after is None or not np.array_equal(before.labels, after.labels):
        return None
    gained = int((after.right & ~before.right).sum())
    lost = int((before.right & ~after.right).sum())
    return paired_difference(gained, lost, len(after.labels))
