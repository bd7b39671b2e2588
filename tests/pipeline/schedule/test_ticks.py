from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.orchestrator.root_lock import running
from pipeline.orchestrator.run_record import RunFolder, RunRecord
from pipeline.schedule.backoff import Backoff
from pipeline.schedule.ticks import Ticks


@pytest.fixture
def backoff() -> Backoff:
    return Backoff(first_seconds=10, longest_seconds=100)


def leave_running(root: Path, process: int) -> None:
    RunFolder(root, "manual").create()
    record = RunRecord(run_id="manual", state="running", command=(), started="2026", process=process, config={})
    RunFolder(root, "manual").write(record)


def test_a_run_by_hand_is_not_joined(tmp_path: Path, backoff: Backoff, capsys: pytest.CaptureFixture[str]) -> None:
    ticks = Ticks(tmp_path, [], {}, backoff)
    leave_running(tmp_path, os.getpid())
    with running(tmp_path):
        assert not ticks.tick("scheduled")
    assert "scheduled: skipped, run manual is at work" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["manual"]


def test_a_run_that_was_killed_is_not_waited_for(tmp_path: Path, backoff: Backoff) -> None:
    leave_running(tmp_path, os.getpid())  # the number of its process is another's now
    assert Ticks(tmp_path, [], {}, backoff).reason_to_wait() == ""


def test_a_run_that_is_stopped_before_it_can_answer_is_no_failure(
    tmp_path: Path, backoff: Backoff, capsys: pytest.CaptureFixture[str]
) -> None:
    backoff.note(failed=True, now=0)

    def clock() -> float:
        ticks.stop()  # as the run is started
        return time.time()

    ticks = Ticks(tmp_path, [f"--pipeline_root={tmp_path}"], {"failure": f"touch {tmp_path}/told"}, backoff, clock)
    assert not ticks.tick("scheduled")
    assert "scheduled: interrupted: the run's process ended with exit code -15 (" in capsys.readouterr().out
    assert backoff.failures == 1  # neither one more nor forgotten
    assert not (tmp_path / "told").exists()
    assert not ticks.tick("scheduled")
    assert capsys.readouterr().out == ""


def test_failures_are_waited_after(tmp_path: Path, backoff: Backoff, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told"
    ticks = Ticks(tmp_path, ["--config=nowhere.json"], {"failure": f"cat > {told}"}, backoff)
    assert not ticks.tick("scheduled")
    assert not ticks.tick("scheduled")
    assert "after 1 failure(s) nothing runs before" in capsys.readouterr().out
    assert "nowhere.json" in told.read_text()
    assert ticks.count == 2
