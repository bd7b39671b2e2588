"""The accuracy of a run with its interval, and its change from the published version and the run before."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.artifacts import Baseline, CrossValidated, Evaluation
from components.intervals import FEW_TEST_IMAGES, Interval, paired_difference, wilson
from pipeline.orchestrator.run_artifacts import RunArtifacts, gather
from pipeline.orchestrator.run_record import RunRecord, run_records
from pipeline.report.predictions import Predictions, read_predictions


class Change(NamedTuple):
    """The change in accuracy from another model to this one."""

    run_id: str | None  # of the other model; None if no record tells which run published the version
    what: str  # "the run before", "version 3, the best published before"
    accuracy: float  # of the other model
    difference: float  # this accuracy minus the other, as a fraction
    interval: Interval | None  # None if the images are not the same

    @property
    def short(self) -> str:
        """The first words of `what`, such as `version 3`."""
        return self.what.partition(",")[0]


class OverAll(NamedTuple):
    """The accuracy over all images, each judged by a classifier that was made without it, and its interval, 0-1."""

    value: float
    interval: Interval
    images: int
    decided: bool  # whether the gate judged by it


class WithoutCopies(NamedTuple):
    """The accuracy over the test images without a near copy in another split, 0-1, and its interval."""

    value: float
    interval: Interval
    images: int
    copied_images: int  # left out, because they have a near copy


class Accuracy(NamedTuple):
    """The accuracy over the test split, 0-1, with its interval and its changes from other models."""

    value: float
    interval: Interval
    images: int
    changes: tuple[Change, ...]
    over_all: OverAll | None = None  # beside a small test split, if a head was cross-validated
    without_copies: WithoutCopies | None = None  # if somebody looked for near copies, and only some images have one

    @property
    def points_an_image(self) -> str:
        """By how many percentage points one image changes the accuracy, such as `33.3`; empty if there are enough."""
        return f"{100 / self.images:.3g}" if self.images < FEW_TEST_IMAGES else ""


def find_accuracy(run: RunArtifacts, predictions: Predictions | None) -> Accuracy | None:
    """Returns the accuracy from the run's evaluation, or None if there is no evaluation or it has no images."""
    evaluation = run.evaluation
    if evaluation is None or "accuracy" not in evaluation.metrics or not evaluation.example_count:
        return None
    value = evaluation.metrics["accuracy"]
    changes = [] if evaluation.baseline is None else [_from_baseline(value, evaluation.baseline, run.root)]
    before = _run_before(run.root, run.record)
    if before is not None and before.run_id not in [change.run_id for change in changes]:
        changes.append(_from_run(value, predictions, gather(run.root, before.run_id)))
    images, pooled = evaluation.example_count, evaluation.cross_validated
    decided = any(check.cross_validated for check in evaluation.checks)
    over_all = None if pooled is None else _over_all(pooled, decided)
    return Accuracy(value, wilson(value, images), images, tuple(changes), over_all, _without_copies(evaluation))


def _without_copies(evaluation: Evaluation) -> WithoutCopies | None:
    near_copies = evaluation.near_copies()
    if near_copies is None:
        return None
    rest, copied = near_copies
    images = int(rest["example_count"])
    return WithoutCopies(rest["accuracy"], wilson(rest["accuracy"], images), images, int(copied["example_count"]))


def _over_all(pooled: CrossValidated, decided: bool) -> OverAll:
    return OverAll(pooled.accuracy, wilson(pooled.accuracy, pooled.images), pooled.images, decided)


def accuracy_of(record: RunRecord) -> float | None:
    """Returns the accuracy in a run's record, 0-1, or None."""
    node = record.node_with("accuracy")
    return None if node is None else node.summary.get("accuracy")


def publisher(root: Path, version: int) -> str | None:
    """Returns the identifier of the run that published a version, or None if no record tells."""
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
    """Returns the last earlier run that evaluated something else, or None."""
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
    """Returns the interval of the change in accuracy; None unless both have the same labels in the same order."""
    if before is None or after is None or not np.array_equal(before.labels, after.labels):
        return None
    gained = int((after.correct & ~before.correct).sum())
    lost = int((before.correct & ~after.correct).sum())
    return paired_difference(gained, lost, len(after.labels))
