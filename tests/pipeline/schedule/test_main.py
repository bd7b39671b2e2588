"""The schedule as it is started and stopped, with real runs on images that take seconds to learn."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.record import RunFolder, RunRecord
from pipeline.schedule.__main__ import main

REPOSITORY = Path(__file__).parents[3]
COLOURS = ("red", "green", "blue")
PATIENCE_SECONDS = 240


def add_photos(folder: Path, first: int, count: int) -> None:
    random = np.random.default_rng(first)
    for label, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            image = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            image[:, :, label] += 100
            Image.fromarray(image).save(folder / colour / f"{number}.png")


class Schedule:
    """A schedule at work in `root`, and what it says."""

    def __init__(self, root: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "pipeline.schedule", f"--pipeline_root={root}", *arguments]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (line := self._lines.get(timeout=deadline - time.monotonic())) is not None:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"It ended with exit code {self.process.wait()} and never said {pattern!r}.")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    add_photos(tmp_path / "photos", 0, 20)
    return tmp_path / "photos"


@pytest.fixture
def config(photos: Path, tmp_path: Path) -> Path:
    config = {
        "ingest": {"dataset": str(photos)},
        "train": {"recipe": "fast", "epochs": 1, "batch_size": 16, "widths": [8, 8, 8], "size_schedule": [[0, 1]]},
        "evaluate": {"thresholds": {"accuracy": {"min": 0.5}}},
        "push": {"variants": []},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "config.json"


@pytest.fixture
def running(config: Path, tmp_path: Path) -> Iterator[Schedule]:
    hook = f"cat > {tmp_path}/told"
    schedule = Schedule(
        tmp_path / "root", "--on-change", "--poll_seconds=0.2", "--still_seconds=0.5", "--to=normalize",
        f"--config={config}", "--backoff_seconds=1", f"--on_failure={hook}",
    )  # fmt: skip
    yield schedule
    schedule.process.kill()


def test_new_photos_are_trained_on_and_bad_ones_do_not_stop_the_schedule(
    running: Schedule, photos: Path, tmp_path: Path
) -> None:
    running.wait_for("watching")
    assert "completed (run " in running.wait_for("changed: ")  # what was there before it began to watch
    for number in range(30):
        (photos / "red" / f"rubbish{number}.png").write_text("rubbish")
    assert "failed: Of 90 files" in running.wait_for("changed: ")
    for path in photos.glob("red/rubbish*"):
        path.unlink()
    add_photos(photos, 100, 10)
    running.wait_for("changed: completed")  # though the wait after the failure may not have been over
    assert json.loads((tmp_path / "told").read_text())["event"] == "failure"
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=60) == 0


def test_a_run_stops_between_components_and_the_same_command_goes_on(config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = [f"--config={config}", "--to=train"]
    command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", "--output=json", *arguments]
    run = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while not list(root.glob("normalize/*/attempt-*")):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate()
    report = json.loads(out.splitlines()[-1])
    assert (run.returncode, report["status"]) == (130, "interrupted")
    assert "told to stop before train" in report["reasons"][0]
    assert [node["state"] for node in report["nodes"][:2]] == ["ran", "ran"]

    schedule = Schedule(root, "--cron=0 0 1 1 *", "--ticks=1", *arguments)
    assert "completed" in schedule.wait_for(f"going on after run {report['run_id']}")
    assert schedule.process.wait(timeout=60) == 0


def test_a_tick_that_was_missed_is_made_up_for_once(config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    old = RunRecord(
        run_id="old", state="failed", command=(), started="2026-01-01T00:00:00+00:00", process=os.getpid(), config={}
    )
    RunFolder(root, "old").create()
    RunFolder(root, "old").write(old)
    (config.parent / "photos").rename(config.parent / "moved")  # so that the run fails at once
    schedule = Schedule(root, "--cron=0 0 1 1 *", f"--config={config}", "--ticks=1")
    assert "missed: failed" in schedule.wait_for("missed: ")
    assert schedule.process.wait(timeout=60) == 0


def test_two_schedules_do_not_share_a_root(running: Schedule, config: Path, tmp_path: Path) -> None:
    running.wait_for("watching")
    other = Schedule(tmp_path / "root", "--on-change", f"--config={config}")
    assert other.process.wait(timeout=60) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing says when to run: give --cron, --on-change, or both."),
        (["--cron=3"], "has 1 field(s), expected five"),
        (["--emit=crontab"], "--emit needs --cron"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--pipeline_root={tmp_path}", *arguments]) == 2
    assert message in capsys.readouterr().err
