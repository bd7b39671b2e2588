from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from pipeline.orchestrator.run_record import RunFolder, RunState
from pipeline.report import write_report
from pipeline.report.index import make_index
from tests.pipeline.report.conftest import FIRST, SECOND, TwoRuns
from tests.pipeline.report.roots import Root, noon, probabilities_for

LABELS = np.arange(48) % 3


def test_the_newest_run_comes_first(two_runs: TwoRuns) -> None:
    index = make_index(two_runs.root.path)
    assert [row.record.run_id for row in index.rows] == [SECOND, FIRST]
    assert index.rows[0].accuracy == two_runs.after.metrics["accuracy"]
    assert index.rows[0].version == 1
    assert index.trend is not None


def test_only_a_report_that_is_there_is_linked(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    root.run("one", to="ingest", state="completed")
    root.run("two", to="ingest", state="completed", minutes=1)
    write_report(tmp_path, "one", noon)
    assert [row.report for row in make_index(tmp_path).rows] == [None, "one/report.html"]


def test_one_evaluation_is_no_trend(tiny: Examples, tmp_path: Path) -> None:
    Root(tmp_path, tiny).run("one", LABELS, probabilities_for(LABELS, 3, 0.5))
    assert make_index(tmp_path).trend is None


@pytest.mark.parametrize(
    ("state", "process", "shown", "tone"),
    [
        ("running", 2**22 + 1, "killed", "bad"),
        ("killed", 1, "killed", "bad"),
        ("running", os.getpid(), "running", "plain"),
        ("interrupted", 2**22 + 1, "stopped", "bad"),
        ("not blessed", 1, "not blessed", "bad"),
        ("pushed", 1, "pushed", "good"),
    ],
    ids=("gone", "killed", "at work", "interrupted", "not blessed", "pushed"),
)
def test_states(tiny: Examples, tmp_path: Path, state: RunState, process: int, shown: str, tone: str) -> None:
    Root(tmp_path, tiny).run("one", to="ingest")
    run = RunFolder(tmp_path, "one")
    record = run.read()
    assert record is not None
    run.write(record.model_copy(update={"state": state, "process": process}))
    (row,) = make_index(tmp_path).rows
    assert (row.state, row.tone) == (shown, tone)


def test_a_run_of_another_machine_names_it(tiny: Examples, tmp_path: Path) -> None:
    Root(tmp_path, tiny).run("one", to="ingest")
    run = RunFolder(tmp_path, "one")
    record = run.read()
    assert record is not None
    run.write(record.model_copy(update={"state": "running", "process": 2**22 + 1, "host": "m1"}))
    (row,) = make_index(tmp_path).rows
    assert (row.state, row.tone) == ("running on m1", "plain")
