"""A standalone Spark cluster: a master here, and two workers on machines of their own, all from Maven.

python -m tests.spark.cluster FOLDER     with a bucket, until Enter; VERSITYGW names the server
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.engines import java
from tests.engines.cluster import Cluster as EngineCluster
from tests.engines.cluster import keep
from tests.engines.machines import Network
from tests.engines.processes import free_port, wait_until

PROJECT = Path(__file__).parent / "pom.xml"
WORKERS = 2
KEPT_MILLISECONDS = 120_000  # a worker of Beam between two stages: it takes ten seconds to start one
# Of the job server, which is Spark's driver.
DRIVER = (
    "-Dspark.executor.memory=512m",
    "-Dspark.scheduler.minRegisteredResourcesRatio=1.0",  # else the first scan may begin on one executor
    "-Dspark.locality.wait=0",  # else a short scan stays where its shards were listed
    "-Dspark.ui.enabled=false",  # its page would take a port that may be in use
)


class Cluster(EngineCluster):
    """A running cluster. Executors log below `spark` on their machine's disk."""

    def __init__(self, folder: Path, machines: Network, artifacts: str) -> None:
        super().__init__(folder, machines, artifacts, PROJECT)
        self.master = f"spark://{self.address}:{free_port(self.address)}"
        self._page = f"http://{self.address}:{free_port(self.address)}"

    def start(self) -> None:
        """Starts the processes and waits for the workers."""
        ports = ("--port", self.master.rpartition(":")[2], "--webui-port", self._page.rpartition(":")[2])
        command = self._java("256m", "org.apache.spark.deploy.master.Master", "--host", self.address, *ports)
        self._lead("master", command, {"SPARK_LOCAL_IP": self.address})
        wait_until(lambda: bool(self.overview()), "Spark's master", self.folder)
        for _ in range(WORKERS):
            self.add_worker()
        wait_until(lambda: len(self.alive()) == WORKERS, f"{WORKERS} workers", self.folder)

    def add_worker(self) -> None:
        """Starts one more worker of Spark, on one more machine."""
        machine = self._add_machine()
        home = machine.disk / "spark"
        self._install(home)
        place = ("--host", machine.address, "--work-dir", machine.inside(home / "work"), "--webui-port", "0")
        size = ("--cores", "1", "--memory", "1g", self.master)
        command = self._java("256m", "org.apache.spark.deploy.worker.Worker", *place, *size)
        variables = {
            "SPARK_HOME": machine.inside(home),
            "SPARK_SCALA_VERSION": "2.12",
            "SPARK_LOCAL_IP": machine.address,
        }
        machine.start(command, self.folder / f"worker_{len(self.machines) - 1}.txt", variables)

    def overview(self) -> dict[str, Any]:
        """What the master's REST interface tells of the cluster."""
        return self.ask(f"{self._page}/json/")

    def alive(self) -> list[str]:
        """The ids of Spark's workers that are alive."""
        return [each["id"] for each in self.overview()["workers"] if each["state"] == "ALIVE"]

    def states(self) -> list[str]:
        """Of applications, the ended ones first. See `EngineCluster`."""
        told = self.overview()
        return [each["state"] for each in (*told["completedapps"], *told["activeapps"])]

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        jar = job_server_jar(self.folder / "job-server.jar", self._jars)
        return [*spark_options(jar, self.master, self.address), *self._worker_options(jar, KEPT_MILLISECONDS)]

    def _install(self, home: Path) -> None:
        """Spark starts executors with the jars below its home."""
        jars = home / "jars"
        jars.mkdir(parents=True)
        for jar in map(Path, self._jars):
            (jars / jar.name).symlink_to(jar)


def job_server_jar(file: Path, jars: Sequence[str]) -> Path:
    """Makes Beam's job server for Spark of `jars`."""
    return java.job_server_jar(file, "org.apache.beam.runners.spark.SparkJobServerDriver", jars)


def spark_options(jar: Path, master: str, address: str = "127.0.0.1") -> list[str]:
    """Beam's options for its runner for Spark, by the job server in this jar; executors reach it at this address."""
    named = ["--runner=SparkRunner", f"--spark_master_url={master}", f"--spark_job_server_jar={jar}"]
    properties = (f"-Dspark.driver.host={address}", *DRIVER)
    return [*named, *(f"--job_server_jvm_property={each}" for each in properties)]


if __name__ == "__main__":
    keep(Cluster)
