"""How well parts of the blessing split do, by what they have in common."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from components.artifacts import Evaluation
from components.intervals import Interval, wilson

COUNTS = ("example_count", "examples", "images")  # what a slice may call its number of images
SLICES_SHOWN = 200  # of one feature


class SliceRow(NamedTuple):
    """One slice. Figures that its metrics lack are None."""

    value: str  # "frog" of "class=frog"
    images: int | None
    accuracy: float | None
    interval: Interval | None
    metrics: dict[str, float]  # the others


class SliceTable(NamedTuple):
    """All slices by one feature."""

    feature: str
    metric_names: tuple[str, ...]
    rows: tuple[SliceRow, ...]
    hidden: int  # slices beyond those that are shown


def slice_tables(evaluation: Evaluation) -> list[SliceTable]:
    """One for each feature but the class, which has a table of its own; the worst slice first."""
    by_feature: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for name, metrics in evaluation.slices.items():
        feature, _, value = name.partition("=")
        by_feature[feature][value] = metrics
    return [_table(feature, slices) for feature, slices in by_feature.items() if feature != "class"]


def _table(feature: str, slices: dict[str, dict[str, float]]) -> SliceTable:
    rows = sorted((_row(*item) for item in slices.items()), key=lambda row: (row.accuracy is None, row.accuracy))
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    return SliceTable(feature, tuple(names), tuple(rows[:SLICES_SHOWN]), max(0, len(rows) - SLICES_SHOWN))


def _row(value: str, metrics: dict[str, float]) -> SliceRow:
    count = next((int(metrics[name]) for name in COUNTS if name in metrics), None)
    accuracy = metrics.get("accuracy")
    interval = wilson(accuracy, count) if accuracy is not None and count else None
    others = {name: figure for name, figure in metrics.items() if name not in (*COUNTS, "accuracy")}
    return SliceRow(value, count, accuracy, interval, others)
