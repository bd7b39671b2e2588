"""A standalone Spark cluster on this machine: a master and two workers, each a process, all from Maven.

python -m tests.spark.cluster FOLDER     one master, two workers, until Ctrl-C
"""

from __future__ import annotations

import contextlib
import json
import os
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
WORKERS = 2
KEPT_MILLISECONDS = 120_000  # a worker of Beam between two stages: it takes ten seconds to start one
# Of the job server, which is Spark's driver.
DRIVER = (
    "-Dspark.driver.host=127.0.0.1",
    "-Dspark.executor.memory=512m",
    "-Dspark.scheduler.minRegisteredResourcesRatio=1.0",  # else the first scan may begin on one executor
    "-Dspark.ui.enabled=false",  # its page would take a port that may be in use
)


class Cluster:
    """A running cluster. What its processes say lies in `folder`, one file each; executors log below their worker's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.master = f"spark://127.0.0.1:{free_port()}"
        self._page = f"127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._jars = class_path(PROJECT)

    def start(self) -> None:
        """Starts the processes and waits for the workers."""
        self._make_home()
        ports = ("--port", self.master.rpartition(":")[2], "--webui-port", self._page.rpartition(":")[2])
        self._java("master", "org.apache.spark.deploy.master.Master", *ports)
        wait_until(lambda: bool(self.ask()), "Spark's master", self.folder)
        for number in range(WORKERS):
            place = ("--work-dir", str(self.folder / f"worker_{number}"), "--webui-port", "0")
            size = ("--cores", "1", "--memory", "1g", self.master)
            self._java(f"worker_{number}", "org.apache.spark.deploy.worker.Worker", *place, *size)
        wait_until(lambda: len(self.workers()) == WORKERS, f"{WORKERS} workers", self.folder)

    def stop(self) -> None:
        """Ends the processes. Executors end with their workers, and Beam's workers with their executors."""
        end(self._processes[::-1])

    def ask(self) -> dict[str, Any]:
        """What the master's REST interface tells of the cluster."""
        with urllib.request.urlopen(f"http://{self._page}/json/", timeout=10) as answer:
            return json.load(answer)

    def workers(self) -> list[str]:
        """The ids of Spark's workers that are alive."""
        return [each["id"] for each in self.ask()["workers"] if each["state"] == "ALIVE"]

    def applications(self) -> list[str]:
        """The states of all applications, the ended ones first."""
        told = self.ask()
        return [each["state"] for each in (*told["completedapps"], *told["activeapps"])]

    def executors(self) -> list[Path]:
        """The folders of the executors of all applications, each below its worker's."""
        return sorted(self.folder.glob("worker_*/app-*/*/"))

    def beam_workers(self) -> set[str]:
        """The process ids of all of Beam's workers that its executors have started."""
        return worker_processes(self.folder)

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        jar = self.job_server_jar()
        kept = f"--environment_cache_millis={KEPT_MILLISECONDS}"
        return [*spark_options(jar, self.master), *worker_options(self.folder), kept, f"--files_to_stage={jar}"]

    def job_server_jar(self) -> Path:
        """Beam's job server for Spark."""
        main_class = "org.apache.beam.runners.spark.SparkJobServerDriver"
        return job_server_jar(self.folder / "job-server.jar", main_class, self._jars)

    def _make_home(self) -> None:
        """Spark starts executors with the jars below its home."""
        jars = self.folder / "home" / "jars"
        jars.mkdir(parents=True)
        for jar in map(Path, self._jars):
            (jars / jar.name).symlink_to(jar)

    def _java(self, name: str, main_class: str, *arguments: str) -> None:
        own = {"SPARK_HOME": str(self.folder / "home"), "SPARK_SCALA_VERSION": "2.12", "SPARK_LOCAL_IP": "127.0.0.1"}
        command = java(self._jars, "256m", main_class, "--host", "127.0.0.1", *arguments)
        self._processes.append(start(command, self.folder / f"{name}.txt", {**os.environ, **own}))


def spark_options(jar: Path, master: str) -> list[str]:
    """Beam's options for its runner for Spark, by the job server in this jar."""
    named = ["--runner=SparkRunner", f"--spark_master_url={master}", f"--spark_job_server_jar={jar}"]
    return [*named, *(f"--job_server_jvm_property={each}" for each in DRIVER)]


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts it, and ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


if __name__ == "__main__":
    with cluster(Path(sys.argv[1])) as started:
        print(*started.options(), sep="\n", flush=True)
        input("Enter ends it.")
