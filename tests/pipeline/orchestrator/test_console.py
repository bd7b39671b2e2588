from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.orchestrator.console import _show_lines, _show_live, _table, describe, print_plan
from pipeline.orchestrator.plan import Plan, Selection, Step
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.store.local_store import Store
from pipeline.text import PRINTABLE, format_value
from tests.pipeline.toys import Count, CountConfig

TRAINED = NodeRecord(
    component="train",
    state="ran",
    seconds=132.14,
    summary={"recipe": "small_data", "parameters": 214346, "warnings": []},
)
SCANNING = NodeRecord(component="normalize", state="running", seconds=3, done=3, total=4, note="shards")


def test_a_line_tells_how_a_node_ended() -> None:
    assert describe(TRAINED) == "  train      ran       132.1 s  recipe small_data, parameters 214,346"


def test_a_plan_has_what_a_component_would_choose_and_why_it_would_run(tmp_path: Path) -> None:
    count = Count(CountConfig(count=1))
    steps = [Step(count, "run", ("it never ran here",), None, "recipe x: so"), Step(count, "cached", (), None)]
    out = io.StringIO()
    print_plan(Plan(Store(tmp_path), Selection(("ingest",)), steps), out)
    assert out.getvalue() == (
        "  ingest     run        recipe x: so\n               it never ran here\n  ingest     cached\n"
    )


def test_a_line_shows_how_far_a_node_is() -> None:
    assert describe(SCANNING) == "  normalize  running     3.0 s  ━━━━━━━━━━━━━━━╌╌╌╌╌ 3/4 shards"


def test_progress_is_shown_in_a_terminal_that_has_no_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    run = RunFolder(tmp_path, "one")
    run.create()
    run.write_node(SCANNING.model_copy(update={"note": "images", "started": time.time()}))
    run.write_node(TRAINED.model_copy(update={"state": "failed", "reason": "a reason " * 30}))
    target, stop = io.BytesIO(), threading.Event()
    stop.set()
    with io.TextIOWrapper(target, "ascii", errors=PRINTABLE) as out:
        _show_live(run, ["normalize", "train"], out, stop)
        out.flush()
        lines = target.getvalue().decode("ascii").splitlines()
    assert "###############----- 3/4" in lines[0]
    assert lines[1].startswith("  train      failed")
    assert max(map(len, lines)) <= 60


def test_a_run_beside_its_log_prints_as_its_terminal_does() -> None:
    code = "import sys; from pipeline.orchestrator.console import libraries_write_to as log; from pathlib import Path\n"
    code += "with log(Path('/dev/null'), sys.stdout) as out: print('━╌ caf\\udce9 é', file=out)"
    for encoding, printed in (("ascii", b"#- caf\xe9 \\xe9\n"), ("latin-1", b"#- caf\xe9 \xe9\n")):
        command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONIOENCODING": encoding}
        found = subprocess.run(command, capture_output=True, env=environment, check=True)
        assert found.stdout == printed


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


def test_plain_lines_come_when_an_attempt_begins(tmp_path: Path) -> None:
    run, out, stop = RunFolder(tmp_path, "one"), io.StringIO(), threading.Event()
    run.create()
    thread = threading.Thread(target=_show_lines, args=(run, ["train"], out, stop))
    thread.start()
    for number, note in enumerate(("", "attempt 2 of 3 after OSError: reset"), 1):
        run.write_node(NodeRecord(component="train", state="running", note=note))
        while out.getvalue().count("\n") < number:
            time.sleep(0.01)
    run.write_node(NodeRecord(component="train", state="running", note="epoch 1, attempt 2 of 3"))
    stop.set()
    thread.join()
    first, second = out.getvalue().splitlines()
    assert first.startswith("  train      running")
    assert second.endswith("attempt 2 of 3 after OSError: reset")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(4800, "4,800"), (0.79123, "0.7912"), (True, "True"), (["a", "b"], "a, b"), ("small_data", "small_data")],
)
def test_figures_are_written_as_people_read_them(value: object, shown: str) -> None:
    assert format_value(value) == shown
