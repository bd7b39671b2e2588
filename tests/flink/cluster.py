"""A Flink session cluster on this machine: a JobManager and TaskManagers, each a process, all from Maven.

python -m tests.flink.cluster FOLDER     one JobManager, two TaskManagers, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engines.java import class_path, java, job_server_jar
from tests.engines.processes import end, free_port, start, wait_until
from tests.engines.workers import worker_options, worker_processes

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
    "heartbeat.timeout": "8000",
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


class Cluster:
    """A running cluster. What its processes say lies in `folder`, one file each; workers log below `folder / "tmp"`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.master = f"127.0.0.1:{free_port()}"
        self.job_manager: subprocess.Popen[bytes] | None = None
        self.task_managers: list[subprocess.Popen[bytes]] = []
        self._jars = class_path(PROJECT)
        self._configuration = folder / "conf"

    def start(self) -> None:
        """Starts the processes and waits for all slots."""
        self._configuration.mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        host, port = self.master.split(":")
        settings = SETTINGS | {
            "jobmanager.rpc.address": host,
            "jobmanager.rpc.port": str(free_port()),
            "rest.address": host,
            "rest.port": port,
            "io.tmp.dirs": str(self.folder / "tmp"),
        }
        lines = (f"{name}: {value}\n" for name, value in settings.items())
        (self._configuration / "flink-conf.yaml").write_text("".join(lines))
        self.job_manager = self._java(
            "job_manager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "512m"
        )
        for _ in range(TASK_MANAGERS):
            self.add_task_manager()
        self._wait()

    def add_task_manager(self) -> None:
        """Starts one more."""
        name = f"task_manager_{len(self.task_managers)}"
        main_class = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self.task_managers.append(self._java(name, main_class, "512m"))

    def stop(self) -> None:
        """Ends the processes. The workers end with their TaskManagers."""
        end((*self.task_managers, self.job_manager))

    def ask(self, path: str) -> Any:
        """What the REST interface answers."""
        with urllib.request.urlopen(f"http://{self.master}/{path}", timeout=10) as answer:
            return json.load(answer)

    def jobs(self) -> dict[str, str]:
        """The state of each job, by id."""
        return {job["id"]: job["status"] for job in self.ask("jobs")["jobs"]}

    def workers(self) -> set[str]:
        """The ids of all worker processes that its TaskManagers have started."""
        return worker_processes(self.folder)

    def logs(self) -> str:
        """What its processes and the workers have said."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.txt"))

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        main_class = "org.apache.beam.runners.flink.FlinkJobServerDriver"
        jar = job_server_jar(self.folder / "job-server.jar", main_class, self._jars)
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.master}",
            f"--flink_job_server_jar={jar}",
            *worker_options(self.folder),
            f"--parallelism={TASK_MANAGERS}",
            f"--environment_cache_millis={KEPT_MILLISECONDS}",
            f"--files_to_stage={jar}",
        ]

    def _java(self, name: str, main_class: str, heap: str) -> subprocess.Popen[bytes]:
        command = java(self._jars, heap, main_class, "--configDir", str(self._configuration))
        return start(command, self.folder / f"{name}.txt")

    def _wait(self) -> None:
        slots = TASK_MANAGERS * int(SETTINGS["taskmanager.numberOfTaskSlots"])
        wait_until(lambda: self.ask("overview")["slots-total"] == slots, f"{slots} slots", self.folder)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts it, and ends it."""
    running = Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


if __name__ == "__main__":
    with cluster(Path(sys.argv[1])) as started:
        print(*started.options(), sep="\n", flush=True)
        started.job_manager.wait()
