"""What fails while the line runs on a cluster whose machines share nothing but a bucket, and how the run ends.

Each case is a run of its own with one fault in it, and ends as a run on one machine that nothing disturbs.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.engines.bucket import VERSITYGW, Bucket
from tests.engines.faults import Driver, Outages, assert_as_undisturbed, served
from tests.engines.java import available
from tests.engines.processes import wait_until
from tests.engines.short_line import WITH_EMBED, Run, run
from tests.flink.cluster import Cluster

pytestmark = [
    pytest.mark.flink_faults,
    pytest.mark.skipif(not available(), reason="java and mvn are not there"),
    pytest.mark.skipif(not VERSITYGW, reason="asked for by `make test-flink-faults`"),
]
# Some seconds of each scan, and of training.
OPTIONS = (
    *WITH_EMBED,
    "--set=normalize.shard_examples=20",
    "--set=embed.shard_examples=60",
    "--set=train.epochs=30",
    "--set=evaluate.shard_examples=10",
)
HAS_STOPPED = ("FINISHED", "FAILED", "CANCELED")


@dataclass
class Scene:
    """A run at work, and what it works on."""

    flink: Cluster
    bucket: Bucket
    outage: Outages
    started: list[Driver] = field(default_factory=list)

    def start(self) -> Driver:
        """Starts the command on one more machine."""
        self.started.append(Driver(self.bucket, f"run-{len(self.started)}", *self.flink.options(), *OPTIONS))
        return self.started[-1]

    @property
    def driver(self) -> Driver:
        """The last one."""
        return self.started[-1]

    def wait_for_shards(self, component: str) -> str:
        """Until some shards of a component are begun. Returns the worker of the last one."""
        self.driver.wait_for(component, lambda node: node.done >= 3)
        return self.driver.scanned_by(component)[-1]

    def wait_for_checkpoint(self) -> str:
        """Until a training can go on elsewhere. Returns its worker."""
        self.driver.wait_until(lambda: any(served(self.bucket).glob("train/*/scratch/checkpoint.npz")))
        return self.driver.wait_for("train").worker


def trained_steps(root: Path) -> int:
    """How many steps the training took that made the model, after the checkpoint that it went on from, if any."""
    (log,) = root.glob("train/*/attempt-*/logs/training.json")
    steps: int = json.loads(log.read_text())["steps"]
    return steps


def process_of(worker: str) -> int:
    return int(worker.rpartition(":")[2])


def children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def a_worker_is_killed_in(component: str) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        kill(process_of(scene.wait_for_shards(component)))

    return fault


def the_worker_that_trains_is_killed(scene: Scene) -> None:
    kill(process_of(scene.wait_for_checkpoint()))


def the_machine_that_trains_is_lost(scene: Scene) -> None:
    host = scene.wait_for_checkpoint().partition(":")[0]
    next(machine for machine in scene.flink.machines if machine.name == host).lose()
    scene.flink.add_task_manager()


def the_driver_is_killed(scene: Scene) -> None:
    scene.wait_for_checkpoint()
    scene.driver.kill()
    scene.start()


def the_job_server_is_killed(scene: Scene) -> None:
    scene.wait_for_shards("normalize")
    (job_server,) = children(scene.driver.process.pid)
    kill(job_server)
    assert scene.driver.process.wait() == 1
    (reason,) = scene.driver.report["reasons"]
    assert "stopped answering" in reason
    scene.start()


def two_drivers_are_at_work(scene: Scene) -> None:
    scene.start()


def the_bucket_is_away(scene: Scene) -> None:
    scene.wait_for_shards("normalize")
    scene.outage.refuse()


FAULTS = {
    **{f"worker-{component}": a_worker_is_killed_in(component) for component in ("normalize", "embed", "evaluate")},
    "worker-train": the_worker_that_trains_is_killed,
    "driver": the_driver_is_killed,
    "job-server": the_job_server_is_killed,
    "two-drivers": two_drivers_are_at_work,
    "bucket": the_bucket_is_away,
    "machine": the_machine_that_trains_is_lost,
}
GO_ON = ("worker-train", "machine")  # with a training, from its checkpoint; a job without its driver goes on, too


@pytest.fixture(scope="module")
def outage(bucket: Bucket) -> Iterator[Outages]:
    with closing(Outages(bucket)) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)


@pytest.fixture
def scene(flink: Cluster, bucket: Bucket, outage: Outages, name: str) -> Iterator[Scene]:
    made = Scene(flink, bucket._replace(root=f"{bucket.root}-{name}"), outage)
    made.start()
    yield made
    for driver in made.started:
        driver.lose()  # a job server outlives a driver that is killed


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_with_a_fault_ends_as_one_without(scene: Scene, undisturbed: Run, name: str) -> None:
    FAULTS[name](scene)
    reports = [driver.end() for driver in scene.started if driver.process.poll() in (None, 0)]
    # A job whose driver or job server was killed may go on, and must change nothing any more.
    wait_until(lambda: set(scene.flink.states()) <= set(HAS_STOPPED), "the end of all jobs", scene.flink.folder)
    for report in reports:
        assert_as_undisturbed(scene.bucket, report, undisturbed)
    if name in GO_ON:
        assert trained_steps(served(scene.bucket)) < trained_steps(undisturbed.root)
