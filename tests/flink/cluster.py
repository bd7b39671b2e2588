"""A Flink session cluster: a JobManager here, and TaskManagers on machines of their own, all from Maven.

python -m tests.flink.cluster FOLDER     with a bucket, until Enter; VERSITYGW names the server
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.engines.cluster import Cluster as EngineCluster
from tests.engines.cluster import keep
from tests.engines.java import job_server_jar
from tests.engines.machines import Network
from tests.engines.processes import free_port, wait_until

PROJECT = Path(__file__).parent / "pom.xml"
TASK_MANAGERS = 2
KEPT_MILLISECONDS = 3_000  # a worker between two stages: it takes ten seconds to start one
SETTINGS = {
    "taskmanager.numberOfTaskSlots": "2",  # so that one TaskManager can carry on alone
    "cluster.evenly-spread-out-slots": "true",
    "restart-strategy.type": "fixed-delay",  # without one a job is not restarted
    "restart-strategy.fixed-delay.attempts": "5",
    "restart-strategy.fixed-delay.delay": "6 s",  # longer than a worker is kept: a dead one would be used again
    # Workers are kept from stage to stage only if Flink itself has Beam's classes, and not each job its own.
    "classloader.resolve-order": "parent-first",
    "heartbeat.interval": "1000",
    "heartbeat.timeout": "20000",
    # A TaskManager is told every part of its memory: Flink's start script would work them out.
    "taskmanager.cpu.cores": "2.0",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.heap.size": "384m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.network.sort-shuffle.min-buffers": "64",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "64m",
    "taskmanager.memory.jvm-overhead.max": "64m",
}


class Cluster(EngineCluster):
    """A running cluster."""

    def __init__(self, folder: Path, machines: Network, artifacts: str) -> None:
        super().__init__(folder, machines, artifacts, PROJECT)
        self.master = f"{self.address}:{free_port(self.address)}"
        self.task_managers: list[subprocess.Popen[bytes]] = []  # one on each machine
        self._rpc_port = free_port(self.address)

    def start(self) -> None:
        """Starts the processes and waits for all slots."""
        configuration = self._configure(self.folder, {"io.tmp.dirs": str(self.folder)})
        main_class = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._lead("job_manager", self._java("512m", main_class, "--configDir", str(configuration)))
        for _ in range(TASK_MANAGERS):
            self.add_task_manager()
        slots = TASK_MANAGERS * int(SETTINGS["taskmanager.numberOfTaskSlots"])
        wait_until(lambda: self.overview()["slots-total"] == slots, f"{slots} slots", self.folder)

    def add_task_manager(self) -> None:
        """Starts one more, on one more machine."""
        machine = self._add_machine()
        own = {"taskmanager.host": machine.address, "io.tmp.dirs": machine.inside(machine.disk / "tmp")}
        configuration = machine.inside(self._configure(machine.disk / "flink", own))
        main_class = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        command = self._java("512m", main_class, "--configDir", configuration)
        log = self.folder / f"task_manager_{len(self.task_managers)}.txt"
        self.task_managers.append(machine.start(command, log))

    def overview(self) -> dict[str, Any]:
        """What the JobManager tells of the cluster."""
        return self.ask(f"http://{self.master}/overview")

    def jobs(self) -> dict[str, str]:
        """The state of each job, by id."""
        return {job["id"]: job["status"] for job in self.ask(f"http://{self.master}/jobs")["jobs"]}

    def states(self) -> list[str]:
        """See `EngineCluster`."""
        return list(self.jobs().values())

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        main_class = "org.apache.beam.runners.flink.FlinkJobServerDriver"
        jar = job_server_jar(self.folder / "job-server.jar", main_class, self._jars)
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.master}",
            f"--flink_job_server_jar={jar}",
            f"--parallelism={TASK_MANAGERS}",
            *self._worker_options(jar, KEPT_MILLISECONDS),
        ]

    def _configure(self, folder: Path, own: dict[str, str]) -> Path:
        """Writes the configuration of a process, and returns its folder."""
        settings = SETTINGS | {
            "jobmanager.rpc.address": self.address,
            "jobmanager.rpc.port": str(self._rpc_port),
            "rest.address": self.address,
            "rest.port": self.master.rpartition(":")[2],
            **own,
        }
        (folder / "conf").mkdir(parents=True)
        lines = (f"{name}: {value}\n" for name, value in settings.items())
        (folder / "conf" / "flink-conf.yaml").write_text("".join(lines))
        return folder / "conf"


if __name__ == "__main__":
    keep(Cluster)
