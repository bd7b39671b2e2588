from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.orchestrator.console import _show_lines, _table, describe
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.text import format_value

TRAINED = NodeRecord(
    component="train",
    state="ran",
    seconds=132.14,
    summary={"recipe": "small_data", "parameters": 214346, "warnings": []},
)
SCANNING = NodeRecord(component="normalize", state="running", seconds=3, done=3, total=4, note="shards")


def test_a_line_tells_how_a_node_ended() -> None:
    assert describe(TRAINED) == "  train      ran       132.1 s  recipe small_data, parameters 214,346"


def test_a_line_shows_how_far_a_node_is() -> None:
    assert describe(SCANNING) == "  normalize  running     3.0 s  ━━━━━━━━━━━━━━━╌╌╌╌╌ 3/4 shards"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_cuts_details_and_nothing_else(width: int) -> None:
    out = io.StringIO()
    failed = TRAINED.model_copy(update={"state": "failed", "reason": "a reason " * 30})
    Console(file=out, width=width).print(_table([SCANNING, failed]))
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("  normalize  running      3.0 s  ━━")
    assert lines[1].startswith("  train      failed     132.1 s  a reason ")
    assert len(lines) == 2


def test_plain_lines_come_when_a_state_changes(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, "one")
    run.create()
    run.write_node(TRAINED)
    out, stop = io.StringIO(), threading.Event()
    stop.set()
    _show_lines(run, ["normalize", "train"], out, stop)
    assert out.getvalue() == describe(TRAINED) + "\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(4800, "4,800"), (0.79123, "0.7912"), (True, "True"), (["a", "b"], "a, b"), ("small_data", "small_data")],
)
def test_figures_are_written_as_people_read_them(value: object, shown: str) -> None:
    assert format_value(value) == shown
