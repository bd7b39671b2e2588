"""Metrics of a slice as a table shows them: value, interval, and change from the baseline."""

from __future__ import annotations

from typing import NamedTuple

from components.artifacts import Evaluation
from components.intervals import Interval

OVERALL = "overall"


class FigureRow(NamedTuple):
    """The value of one metric, its interval, and its change. What is not known is None."""

    name: str
    value: float
    interval: Interval | None
    change: float | None  # from the baseline
    change_interval: Interval | None


def figure_rows(evaluation: Evaluation, slice_: str = OVERALL) -> list[FigureRow]:
    """Returns the metrics of one slice, in the evaluation's order."""
    metrics = evaluation.metrics if slice_ == OVERALL else evaluation.slices.get(slice_, {})
    baseline = evaluation.baseline
    before = {} if baseline is None else baseline.metrics if slice_ == OVERALL else baseline.slices.get(slice_, {})
    intervals = evaluation.intervals.get(slice_, {})
    changes = {} if baseline is None else baseline.change_intervals.get(slice_, {})
    return [
        FigureRow(
            name,
            value,
            Interval(*intervals[name]) if name in intervals else None,
            value - before[name] if name in before else None,
            Interval(*changes[name]) if name in changes else None,
        )
        for name, value in metrics.items()
    ]
