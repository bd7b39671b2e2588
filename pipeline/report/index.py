"""The index page: a list of all runs, made from their records alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from components.files import write_whole
from pipeline.orchestrator.killed import was_killed
from pipeline.orchestrator.run_record import REPORT_NAME, RunRecord, run_records, shown_state
from pipeline.report import Clock
from pipeline.report.accuracy import accuracy_of
from pipeline.report.plots import trend
from pipeline.report.rendering import render
from pipeline.report.verdict import Tone

TREND_RUNS = 200  # the newest
TONES: dict[str, Tone] = {"pushed": "good", "failed": "bad", "not blessed": "bad", "stopped": "bad", "killed": "bad"}
STATES = {"interrupted": "stopped"}


class RunRow(NamedTuple):
    """The row of one run."""

    record: RunRecord
    state: str
    tone: Tone
    accuracy: float | None
    version: int | None
    ran: tuple[str, ...]
    report: str | None  # relative to the index


class Index(NamedTuple):
    """Everything that the index page shows. The newest run comes first."""

    rows: tuple[RunRow, ...]
    trend: Markup | None  # of the runs that evaluated a model; None if fewer than two did


def write_index(root: Path, clock: Clock) -> Path:
    """Writes `<root>/runs/index.html` and returns its path."""
    path = root / "runs" / "index.html"
    write_whole(path, render("index.html.j2", make_index(root), clock))
    return path


def make_index(root: Path) -> Index:
    """Returns the index of all runs that have a record."""
    records = list(run_records(root))
    drawn = [each for each in records if _evaluated_anew(each)][-TREND_RUNS:]
    picture = trend([accuracy_of(each) for each in drawn], [each.seconds for each in drawn]) if len(drawn) > 1 else None
    return Index(tuple(_row(root, record) for record in reversed(records)), picture)


def _evaluated_anew(record: RunRecord) -> bool:
    """Returns whether the run evaluated a model itself: a cached evaluation would only repeat a point."""
    node = record.node_with("accuracy")
    return node is not None and node.state == "ran" and accuracy_of(record) is not None


def _row(root: Path, record: RunRecord) -> RunRow:
    state = "killed" if was_killed(root, record) else STATES.get(record.state, shown_state(record))
    push = record.node_with("version")
    report = Path(record.run_id) / REPORT_NAME
    return RunRow(
        record=record,
        state=state,
        tone=TONES.get(state, "plain"),
        accuracy=accuracy_of(record),
        version=push.summary.get("version") if push else None,
        ran=tuple(node.component for node in record.nodes if node.state == "ran"),
        report=report.as_posix() if (root / "runs" / report).exists() else None,
    )
