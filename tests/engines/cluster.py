"""What the clusters of Java engines have in common: one leads on this machine, workers are on machines of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.engines.bucket import serving
from tests.engines.java import class_path, java
from tests.engines.machines import Machine, Network, network
from tests.engines.processes import end, start
from tests.engines.workers import worker_options, worker_processes


class Cluster:
    """A cluster of an engine. What its processes say lies in `folder`, one file each."""

    def __init__(self, folder: Path, machines: Network, artifacts: str, project: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.address = folder, machines.address
        self.machines: list[Machine] = []  # with a worker of the engine each
        self._network, self._artifacts = machines, artifacts
        self._jars = class_path(project)
        self._leaders: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Starts the processes and waits until all are ready."""
        raise NotImplementedError

    def options(self) -> list[str]:
        """What makes `python -m pipeline.run` run here."""
        raise NotImplementedError

    def states(self) -> list[str]:
        """What the engine's own interface says of each job, as `FINISHED`."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends the processes."""
        for machine in self.machines:
            machine.stop()
        end(self._leaders)

    def ask(self, url: str) -> Any:
        """What the engine's own interface answers."""
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def workers(self) -> set[str]:
        """The ids of all processes that were started for Beam's workers, on the disks that are there."""
        return set().union(*(worker_processes(machine.disk / "tmp") for machine in self.machines))

    def logs(self) -> str:
        """What the engine's processes have said."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.txt"))

    def _lead(self, name: str, command: list[str], variables: dict[str, str] | None = None) -> None:
        process = start(command, self.folder / f"{name}.txt", {**os.environ, **(variables or {})})
        self._leaders.append(process)

    def _add_machine(self) -> Machine:
        self.machines.append(self._network.machine(shown=[Path(os.path.commonpath(self._jars))]))
        return self.machines[-1]

    def _java(self, heap: str, main_class: str, *arguments: str) -> list[str]:
        return java(self._jars, heap, main_class, *arguments)

    def _worker_options(self, jar: Path, kept_milliseconds: int) -> list[str]:
        return [
            *worker_options(self._network.boot_program),
            f"--environment_cache_millis={kept_milliseconds}",
            f"--artifacts_dir={self._artifacts}",
            f"--files_to_stage={jar}",
        ]


Started = TypeVar("Started", bound=Cluster)


@contextlib.contextmanager
def running(cluster: Started) -> Iterator[Started]:
    """Starts it, and ends it."""
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def keep(make: Callable[[Path, Network, str], Cluster]) -> None:
    """Starts a bucket and a cluster in the folder that the command names, and says how to use them, until Enter."""
    folder = Path(sys.argv[1]).absolute()
    with (
        network(folder / "machines") as machines,
        serving(folder, machines.address) as bucket,
        running(make(folder / "cluster", machines, bucket.artifacts)) as cluster,
    ):
        variables = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(("AWS_", "PIPELINE_"))}
        print(*(f"export {name}={value}" for name, value in variables.items()), sep="\n")
        if machines.not_apart:
            print(f"NOT APART: {machines.not_apart}")
        options = (f"--pipeline_root={bucket.root}", *bucket.options, *cluster.options())
        print(*map(shlex.quote, options), sep="\n", flush=True)
        input("Enter ends it.")
