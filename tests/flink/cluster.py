"""A Flink session cluster on this machine: a JobManager and TaskManagers, each a process, all from Maven.

python -m tests.flink.cluster FOLDER     one JobManager, two TaskManagers, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOOT = HERE.parents[1] / "pipeline" / "runners" / "worker_boot.py"
TASK_MANAGERS = 2
START_SECONDS = 60
KEPT_MILLISECONDS = 3_000  # a worker between two stages: it takes ten seconds to start one
# Flink 1.19 and Beam reach into the JDK, as Flink's own scripts allow them to.
OPENED = (
    "java.base/java.lang java.base/java.lang.invoke java.base/java.lang.reflect java.base/java.net java.base/java.io "
    "java.base/java.nio java.base/java.math java.base/java.text java.base/java.time java.base/java.util "
    "java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.util.concurrent.locks "
    "java.base/sun.nio.ch java.base/sun.net.util"
)
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
        self._jars = class_path()
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
        running = [process for process in (*self.task_managers, self.job_manager) if process is not None]
        for process in running:
            process.kill()
            process.wait()

    def ask(self, path: str) -> Any:
        """What the REST interface answers."""
        with urllib.request.urlopen(f"http://{self.master}/{path}", timeout=10) as answer:
            return json.load(answer)

    def jobs(self) -> dict[str, str]:
        """The state of each job, by id."""
        return {job["id"]: job["status"] for job in self.ask("jobs")["jobs"]}

    def workers(self) -> set[str]:
        """The ids of all worker processes that its TaskManagers have started."""
        return {folder.name.split("-")[2] for folder in (self.folder / "tmp").glob("beam-worker-*")}

    def logs(self) -> str:
        """What its processes and the workers have said."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.txt"))

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        boot = self.folder / "boot"
        if not boot.exists():
            boot.write_text(f'#!/bin/sh\nexec {sys.executable} {BOOT} "$@"\n')
            boot.chmod(0o755)
        jar = job_server_jar(self.folder)
        environment = {"command": str(boot), "env": {"TMPDIR": str(self.folder / "tmp"), "PYTHONPATH": ""}}
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.master}",
            f"--flink_job_server_jar={jar}",
            "--environment_type=PROCESS",
            f"--environment_config={json.dumps(environment)}",
            f"--setup_file={HERE.parents[1] / 'setup.py'}",
            f"--parallelism={TASK_MANAGERS}",
            f"--environment_cache_millis={KEPT_MILLISECONDS}",
            f"--files_to_stage={jar}",
        ]

    def _java(self, name: str, main_class: str, heap: str) -> subprocess.Popen[bytes]:
        opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED.split()]
        exported = ["--add-exports=java.base/sun.net.util=ALL-UNNAMED"]
        command = ["java", f"-Xmx{heap}", *opened, *exported, "-cp", os.pathsep.join(self._jars), main_class]
        with (self.folder / f"{name}.txt").open("wb") as log:
            return subprocess.Popen(
                [*command, "--configDir", str(self._configuration)],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
            )  # fmt: skip

    def _wait(self) -> None:
        slots = TASK_MANAGERS * int(SETTINGS["taskmanager.numberOfTaskSlots"])
        for _ in range(START_SECONDS * 10):
            with contextlib.suppress(OSError):
                if self.ask("overview")["slots-total"] == slots:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"No {slots} slots within {START_SECONDS} s. See {self.folder}/*.txt.")


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts it, and ends it."""
    running = Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def class_path() -> list[str]:
    """The jars of Flink and of Beam's runner for it. Maven keeps them in its own repository."""
    if not available():
        raise RuntimeError("Flink needs java and mvn on the PATH.")
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as told:
        goal = ["dependency:build-classpath", f"-Dmdep.outputFile={told.name}"]
        subprocess.run(["mvn", "--batch-mode", "--quiet", f"--file={HERE / 'pom.xml'}", *goal], check=True)
        return told.read().split(os.pathsep)


def available() -> bool:
    """Whether this machine has what the cluster needs."""
    return bool(shutil.which("java") and shutil.which("mvn"))


def job_server_jar(folder: Path) -> Path:
    """A jar that only names others: Beam starts its job server with `java -jar`."""
    path = folder / "job-server.jar"
    if not path.exists():
        attributes = {
            "Manifest-Version": "1.0",
            "Main-Class": "org.apache.beam.runners.flink.FlinkJobServerDriver",
            "Add-Opens": OPENED,
            "Class-Path": " ".join(Path(jar).as_uri() for jar in class_path()),
        }
        lines = (_folded(f"{name}: {value}") for name, value in attributes.items())
        with zipfile.ZipFile(path, "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "".join(lines) + "\n")
    return path


def _folded(line: str) -> str:
    """A line of a manifest has at most 72 bytes; what follows begins with a space."""
    first, rest = line[:70], line[70:]
    return "\n ".join([first, *(rest[at : at + 69] for at in range(0, len(rest), 69))]) + "\n"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    with cluster(Path(sys.argv[1])) as started:
        print(*started.options(), sep="\n", flush=True)
        started.job_manager.wait()
