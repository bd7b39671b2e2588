"""Bulk prediction that is killed, interrupted, or run twice at once: one row a photo at the end."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parents[3]
PHOTOS = 3000
PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, noise = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = noise.integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04d}.png", compress_level=1)
    return folder


class Command:
    """The command for one folder of rows."""

    def __init__(self, root: Path, folder: Path, rows: Path, *options: str) -> None:
        given = [f"--pipeline_root={root}", f"--input={folder}", f"--output={rows}", *options]
        self.line, self.rows = [sys.executable, "-m", "pipeline.predict", *given], rows

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.line, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start_until(self, shards: int) -> subprocess.Popen[str]:
        process = self.start()
        while len(list(self.rows.glob("*.parquet"))) < shards:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        return process

    def check(self) -> str:
        """Runs it to its end, and returns what it says. Each photo has one row."""
        process = self.start()
        out, err = process.communicate()
        assert process.returncode == 0, err
        files = pq.read_table(self.rows, columns=["file"]).column("file").to_pylist()
        assert sorted(files) == [f"{number:04d}.png" for number in range(PHOTOS)]
        return out


def test_a_killed_command_goes_on(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    command = Command(sample_root, folder, tmp_path / "rows")
    for shards in (1, 4):
        process = command.start_until(shards)
        process.kill()
        process.communicate()
    there = {path.name: path.stat().st_mtime_ns for path in command.rows.glob("*.parquet")}
    assert len(there) >= 4
    assert ", 0 of them predicted before" not in command.check()
    assert {name: (command.rows / name).stat().st_mtime_ns for name in there} == there


def test_kills_at_any_moment_leave_one_row_a_photo(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    command, moments = Command(sample_root, folder, tmp_path / "rows"), random.Random(7)
    for kill in range(5):
        process = command.start()
        if kill:  # else while it starts, or plans
            assert process.stdout is not None
            assert "3,000 photos, " in process.stdout.readline()
        time.sleep(moments.uniform(0, 6))
        process.kill()
        process.communicate()
    command.check()
    assert not list((command.rows / "_names").iterdir())


def test_ctrl_c_ends_it_at_once(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    command = Command(sample_root, folder, tmp_path / "rows")
    process = command.start_until(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == "error: stopped by Ctrl-C. The same command goes on from what is done.\n"
    command.check()


def test_two_commands_at_once_leave_one_row_a_photo(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    command = Command(sample_root, folder, tmp_path / "rows")
    other = command.start()
    command.check()
    _, err = other.communicate()
    assert other.returncode == 0, err


def test_worker_processes_share_the_work_and_one_that_is_killed_is_said(
    sample_root: Path, folder: Path, tmp_path: Path
) -> None:
    command = Command(sample_root, folder, tmp_path / "rows", *PROCESSES)
    process = command.start_until(2)
    listed = ["ps", "-ewwo", "pid,ppid,args"]
    table = [line.split(None, 2) for line in subprocess.run(listed, capture_output=True, text=True).stdout.splitlines()]
    children = {pid for pid, parent, _ in table if parent == str(process.pid)}
    workers = [int(pid) for pid, parent, args in table if {pid, parent} & children and "sdk_worker_main" in args]
    assert len(workers) >= 2
    subprocess.run(["kill", "-9", str(max(workers))], check=True)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "A worker process was killed. If memory was full, use fewer processes" in err
    command.check()
