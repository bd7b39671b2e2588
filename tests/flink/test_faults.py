"""What is killed on the cluster while the line runs there, and how the run ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from tests.engines.java import available
from tests.engines.short_line import REPOSITORY, command, versions
from tests.flink.cluster import Cluster

pytestmark = [pytest.mark.flink_faults, pytest.mark.skipif(not available(), reason="java and mvn are not there")]
MANY_SHARDS = "--set=normalize.shard_examples=5"  # some seconds of scanning
MANY_EPOCHS = "--set=train.epochs=60"  # some more of training
WAIT_SECONDS = 240


class Driver:
    """The command, and whatever it starts, in a session of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        self.folder = RunFolder(root, "run")
        pipe = subprocess.PIPE
        arguments = command(root, "--run_id=run", *options)
        self.process = subprocess.Popen(
            arguments, stdout=pipe, stderr=pipe, text=True, cwd=REPOSITORY, start_new_session=True
        )

    def wait_for(self, component: str, reached: Callable[[NodeRecord], bool]) -> NodeRecord:
        """Until the component has come as far."""
        for _ in range(WAIT_SECONDS * 50):
            node = self.folder.read_node(component)
            if node.state == "running" and reached(node):
                return node
            assert node.state in ("waiting", "running"), node
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        raise TimeoutError(f"{component}: {node}")

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        told = self.process.communicate(timeout=WAIT_SECONDS)
        return (self.process.returncode, *told)


@pytest.fixture
def start(flink: Cluster, tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    started: list[Driver] = []

    def begin(*options: str) -> Driver:
        started.append(Driver(tmp_path, *flink.options(), *options))
        return started[-1]

    yield begin
    for driver in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.process.pid, signal.SIGKILL)  # a job server outlives a driver that is killed


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def process_of(node: NodeRecord) -> int:
    return int(node.worker.split(":")[1])


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_worker_is_killed_while_it_scans(start: Callable[..., Driver], tmp_path: Path) -> None:
    driver = start(MANY_SHARDS)
    driver.wait_for("normalize", lambda node: node.done >= 5)
    kill(int(driver.folder.scanned_by("normalize")[-1].split(":")[1]))
    code, said, errors = driver.end()
    assert code == 0, said + errors
    assert versions(tmp_path) == ["1"]


def test_the_task_manager_that_trains_is_killed(start: Callable[..., Driver], flink: Cluster, tmp_path: Path) -> None:
    driver = start(MANY_EPOCHS)
    training = driver.wait_for("train", lambda node: bool(list(tmp_path.glob("train/*/scratch/*.npz"))))
    worker = process_of(training)
    kill(parent(worker))
    flink.add_task_manager()
    code, said, errors = driver.end()
    assert code == 0, said + errors
    assert "Going on after" in flink.logs()
    assert not Path(f"/proc/{worker}").exists()
    assert versions(tmp_path) == ["1"]


def test_the_driver_is_killed_and_the_command_given_again(
    start: Callable[..., Driver], flink: Cluster, tmp_path: Path
) -> None:
    driver = start(MANY_EPOCHS)
    driver.wait_for("train", lambda node: node.done > 0)
    kill(driver.process.pid)
    code, said, errors = start(MANY_EPOCHS).end()
    assert code == 0, said + errors
    assert set(flink.jobs().values()) == {"FINISHED"}
    assert versions(tmp_path) == ["1"]


def test_the_job_server_is_killed(start: Callable[..., Driver], tmp_path: Path) -> None:
    driver = start()
    driver.wait_for("ingest", lambda node: True)
    (job_server,) = children(driver.process.pid)
    kill(job_server)
    code, said, _ = driver.end()
    assert code == 1
    (reason,) = json.loads(said.splitlines()[-1])["reasons"]
    assert "stopped answering" in reason
    code, said, errors = start().end()
    assert code == 0, said + errors
    assert versions(tmp_path) == ["1"]
