"""How well parts of the test split do, by what they have in common."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from components.artifacts import Evaluation
from components.intervals import Interval, wilson
from pipeline.report.figures import figure_rows

COUNTS = ("example_count", "examples", "images")  # what a slice may call its number of images
SLICES_SHOWN = 200  # of one feature


class SliceRow(NamedTuple):
    """One slice. Figures that its metrics lack are None."""

    value: str  # "frog" of "class=frog"
    images: int | None
    accuracy: float | None
    interval: Interval | None
    change: float | None  # of the accuracy, from the baseline
    change_interval: Interval | None
    metrics: dict[str, float]  # the others


class SliceTable(NamedTuple):
    """All slices by one feature."""

    feature: str
    metric_names: tuple[str, ...]
    rows: tuple[SliceRow, ...]
    hidden: int  # slices beyond those that are shown

    @property
    def has_changes(self) -> bool:
        """Whether there was a baseline."""
        return any(row.change is not None for row in self.rows)


def slice_tables(evaluation: Evaluation) -> list[SliceTable]:
    """One for each feature but the class, which has a table of its own; the worst slice first."""
    by_feature: dict[str, list[SliceRow]] = defaultdict(list)
    for name in evaluation.slices:
        feature, _, value = name.partition("=")
        by_feature[feature].append(_row(evaluation, name, value))
    return [_table(feature, rows) for feature, rows in by_feature.items() if feature != "class"]


def _table(feature: str, rows: list[SliceRow]) -> SliceTable:
    rows = sorted(rows, key=lambda row: (row.accuracy is None, row.accuracy))
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    return SliceTable(feature, tuple(names), tuple(rows[:SLICES_SHOWN]), max(0, len(rows) - SLICES_SHOWN))


def _row(evaluation: Evaluation, slice_: str, value: str) -> SliceRow:
    figures = {row.name: row for row in figure_rows(evaluation, slice_)}
    count = next((int(figures[name].value) for name in COUNTS if name in figures), None)
    accuracy = figures.get("accuracy")
    interval = accuracy.interval if accuracy else None
    if accuracy is not None and interval is None and count:
        interval = wilson(accuracy.value, count)
    return SliceRow(
        value,
        count,
        accuracy.value if accuracy else None,
        interval,
        accuracy.change if accuracy else None,
        accuracy.change_interval if accuracy else None,
        {name: row.value for name, row in figures.items() if name not in (*COUNTS, "accuracy")},
    )
