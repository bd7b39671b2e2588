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
from typing import NamedTuple

import numpy as np
import pytest
from apscheduler.triggers.cron import CronTrigger
from PIL import Image

from pipeline.orchestrator.run_record import RunFolder, RunRecord, run_records
from pipeline.schedule.__main__ import due_at_start, main
from pipeline.schedule.cron import Cron, parse_cron
from tests.s3_server import S3

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
        # A session of its own is a terminal of its own: Ctrl-C there goes to all of it.
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
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
        "train": {
            "recipe": "small_data",
            "epochs": 1,
            "batch_size": 16,
            "widths": [8, 8, 8],
            "resolution_schedule": [[0, 1]],
        },
        "evaluate": {"thresholds": {"accuracy": {"min": 0.5}}},
        "push": {"variants": []},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "config.json"


@pytest.fixture
def running(config: Path, tmp_path: Path) -> Iterator[Schedule]:
    hook = f"cat > {tmp_path}/told"
    schedule = Schedule(
        tmp_path / "root", "--on_change", "--poll_seconds=0.2", "--still_seconds=0.5", "--to=normalize",
        f"--config={config}", "--backoff_seconds=1", f"--on_failure={hook}",
    )  # fmt: skip
    yield schedule
    schedule.process.kill()


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_schedule_is_stopped_in_the_middle_of_a_run(number: int, config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    schedule = Schedule(
        root, "--on_change", "--poll_seconds=0.1", "--still_seconds=0.1", "--to=train", f"--config={config}",
        f"--on_failure=cat > {tmp_path}/told",
    )  # fmt: skip
    while not list(root.glob("normalize/*/attempt-*")):
        assert schedule.process.poll() is None
        time.sleep(0.02)
    os.killpg(schedule.process.pid, number)
    schedule.wait_for("stopping after the component that is at work")
    os.killpg(schedule.process.pid, number)  # somebody is impatient
    assert "told to stop before train" in schedule.wait_for("changed: interrupted")
    assert schedule.process.wait(timeout=60) == 0
    (record,) = run_records(root)
    assert record.state == "interrupted"
    assert [node.state for node in record.nodes[:2]] == ["ran", "ran"]
    assert not (tmp_path / "told").exists()


class Clock(NamedTuple):
    """Ticks each second instead of each minute, and what the schedule asked for."""

    asked: list[tuple[str | None, int]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock([])

    def trigger(cron: Cron, timezone: str | None, jitter_seconds: int) -> CronTrigger:
        clock.asked.append((timezone, jitter_seconds))
        return CronTrigger(second="*", timezone=timezone)

    monkeypatch.setattr(Cron, "trigger", trigger)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield clock
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_ticks_by_the_clock_are_skipped_beside_a_run_and_have_nothing_to_do_after_it(
    clock: Clock, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"--config={config}", f"--pipeline_root={tmp_path / 'root'}", "--to=normalize"]
    hook = f"--on_success=cat >> {tmp_path}/told"
    assert main(["--cron=* * * * *", "--timezone=UTC", "--jitter_seconds=9", "--ticks=2", hook, *arguments]) == 0
    assert set(clock.asked) == {("UTC", 9)}
    ticks = re.findall(r"scheduled: (\w+)", capsys.readouterr().out)
    ended = [word for word in ticks if word != "skipped"]
    assert (ended, "skipped" in ticks) == (["completed", "nothing"], True)
    assert json.loads((tmp_path / "told").read_text())["status"] == "completed"  # once


def test_a_model_that_is_not_blessed_is_told_of(photos: Path, config: Path, tmp_path: Path) -> None:
    for seed, path in enumerate(sorted(photos.glob("*/*.png"))):  # nothing can be learned of these
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
    settings = json.loads(config.read_text())
    settings["evaluate"]["thresholds"]["accuracy"]["min"] = 0.95
    config.write_text(json.dumps(settings))
    hooks = [f"--on_{event}=cat > {tmp_path}/{event}" for event in ("success", "failure", "not_blessed")]
    schedule = Schedule(
        tmp_path / "root", "--on_change", "--poll_seconds=0.1", "--still_seconds=0", "--ticks=1",
        f"--config={config}", *hooks,
    )  # fmt: skip
    assert "not blessed" in schedule.wait_for("changed: ")
    assert schedule.process.wait(timeout=60) == 0
    assert json.loads((tmp_path / "not_blessed").read_text())["event"] == "not_blessed"
    assert not (tmp_path / "success").exists()
    assert not (tmp_path / "failure").exists()


def test_images_in_a_bucket_that_is_not_there_are_looked_for_again(s3: S3, tmp_path: Path) -> None:
    data = "--set=ingest.dataset=s3://no-such-bucket/photos"
    schedule = Schedule(tmp_path / "root", "--on_change", "--poll_seconds=0.5", "--still_seconds=0", data)
    for _ in range(2):
        schedule.wait_for(r":\d\d  the images cannot be looked at: there is no bucket no-such-bucket: make it")
    schedule.process.send_signal(signal.SIGTERM)
    assert schedule.process.wait(timeout=60) == 0
    assert not list(run_records(tmp_path / "root"))


def leave_old_run(root: Path) -> None:
    """In January, of a process that is at work still, though at something else."""
    old = RunRecord(
        run_id="old", state="failed", command=(), started="2026-01-01T00:00:00+00:00", process=os.getpid(), config={}
    )
    RunFolder(root, "old").create()
    RunFolder(root, "old").write(old)


def test_ticks_that_were_missed_are_let_go_where_that_is_asked(tmp_path: Path) -> None:
    leave_old_run(tmp_path)
    daily = parse_cron("0 3 * * *").trigger("UTC", 0)
    assert due_at_start(tmp_path, daily, make_up=True) == "missed"
    assert due_at_start(tmp_path, daily, make_up=False) == ""


@pytest.mark.parametrize(("host", "due"), [("", "going on after run old"), ("another", "")], ids=("here", "elsewhere"))
def test_a_run_that_another_machine_may_be_at_is_left_to_it(tmp_path: Path, host: str, due: str) -> None:
    leave_old_run(tmp_path)
    folder = RunFolder(tmp_path, "old")
    record = folder.read()
    assert record is not None
    folder.write(record.model_copy(update={"state": "running", "process": 2**22 + 1, "host": host}))
    assert due_at_start(tmp_path, parse_cron("0 3 * * *").trigger("UTC", 0), make_up=False) == due


def test_a_tick_that_was_missed_is_made_up_for_once(config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    leave_old_run(root)
    (config.parent / "photos").rename(config.parent / "moved")  # so that the run fails at once
    schedule = Schedule(root, "--cron=0 0 1 1 *", f"--config={config}", "--ticks=1")
    assert "missed: failed" in schedule.wait_for("missed: ")
    assert schedule.process.wait(timeout=60) == 0


def test_two_schedules_do_not_share_a_root(running: Schedule, config: Path, tmp_path: Path) -> None:
    running.wait_for("watching")
    other = Schedule(tmp_path / "root", "--on_change", f"--config={config}")
    assert other.process.wait(timeout=60) == 2


@pytest.mark.parametrize("zone", ["JST-9", '"Europe/Berlin"', ":Nowhere/City"])
def test_a_machine_whose_zone_has_no_name_is_refused_only_where_it_is_needed(
    zone: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    words = [sys.executable, "-m", "pipeline.schedule", "--cron=0 3 * * *", f"--pipeline_root={tmp_path / 'root'}"]
    refused = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"error: --cron needs a time zone. This machine's, TZ={zone}, has no name that is known here. Give one, such "
        "as --timezone Europe/Paris.\n"
    )
    told = subprocess.run([*words, "--emit=crontab"], capture_output=True, text=True, cwd=REPOSITORY)
    assert (told.returncode, told.stderr) == (0, "")
    asked = "--cron=0 3 * * *", "--timezone=Asia/Tokyo", "--on_change", f"--config={config}"
    schedule = Schedule(tmp_path / "root", *asked)
    schedule.wait_for("watching")
    schedule.process.send_signal(signal.SIGTERM)
    assert schedule.process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing says when to run: give --cron, --on_change, or both."),
        (["--cron=3"], "has 1 field(s), expected five"),
        (["--emit=crontab"], "--emit needs --cron"),
        (["--cron=0 3 * * *", "--timezone=Mars/City", "--emit=crontab"], "--timezone 'Mars/City' is no time zone"),
        (["--on_change", "--timezone="], "--timezone '' is no time zone that is known here."),
        (
            ["--cron=0 3 * * *", "--emit=systemd", "--on_failure=mail me", "--on_change"],
            "cannot say --on_change, --on_f",
        ),
    ],
)
def test_what_cannot_be_scheduled_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--pipeline_root={tmp_path}", *arguments]) == 2
    assert message in capsys.readouterr().err
