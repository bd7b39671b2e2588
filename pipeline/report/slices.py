"""The metrics of slices: parts of the test split whose images have a feature in common."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from components.artifacts import Evaluation
from components.intervals import Interval, wilson
from pipeline.report.figures import figure_rows

COUNTS = ("example_count", "examples", "images")  # what a slice may call its number of images
SLICES_SHOWN = 200  # of one feature


class SliceRow(NamedTuple):
    """The metrics of one slice. A metric that the slice does not have is None."""

    value: str  # "frog" of "class=frog"
    images: int | None
    accuracy: float | None
    interval: Interval | None
    change: float | None  # of the accuracy, from the baseline
    change_interval: Interval | None
    metrics: dict[str, float]  # all other metrics


class SliceTable(NamedTuple):
    """The table of all slices of one feature, the lowest accuracy first."""

    feature: str
    metric_names: tuple[str, ...]
    rows: tuple[SliceRow, ...]
    hidden: int  # the number of slices that are not shown

    @property
    def has_changes(self) -> bool:
        """True if the slices were compared with a baseline."""
        return any(row.change is not None for row in self.rows)


def slice_tables(evaluation: Evaluation) -> list[SliceTable]:
    """Returns a table for each feature except the class, which the page shows in a table of its own."""
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
