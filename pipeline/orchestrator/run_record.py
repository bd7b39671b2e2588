"""The files of a run below a pipeline root: its record, the state of each node, and its log.

<root>/runs/<run_id>/run.json             the record
<root>/runs/<run_id>/nodes/<component>.json  written by whichever process does the work
<root>/runs/<run_id>/nodes/<component>.begun one line per shard that was begun: the worker that began it, and its memory
                                             Workers that share only a bucket have one each: see `shared_run_folder`.
<root>/runs/<run_id>/stop                 exists once the run was told to stop
<root>/runs/<run_id>/log.txt              the output of libraries, and tracebacks
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from components.artifacts import Document
from components.files import write_whole
from components.memory import peak_memory_bytes
from pipeline.errors import UsageError, unwritable
from pipeline.orchestrator.root_lock import beginning, process_began

REPORT_NAME = "report.html"  # the page of a run, beside its record
DATA_PAGE_NAME = "data.html"  # beside it, if the run looked for what is wrong with the images
STOP = "stop"  # a file in the folder of a run that was told to stop
SHARDS = "shards"  # the first word of the note of a node that scans shards: its progress is the number of shards begun

NodeState = Literal["waiting", "running", "ran", "cached", "reused", "failed", "skipped"]
RunState = Literal[
    "running",
    "pushed",  # a new version was published
    "nothing new",  # something ran, but its model had been published before
    "nothing to do",
    "completed",  # everything that was asked for is done, and nothing was published
    "not blessed",
    "failed",
    "interrupted",
    "killed",  # its process ended without a word, as the next run found
]


class NodeRecord(Document):
    """The state of one component in a run: its progress, or how it ended."""

    component: str
    state: NodeState
    worker: str = ""  # the process that wrote this, as host:process
    started: float = 0.0  # seconds since 1970
    seconds: float = 0.0
    done: float = 0.0  # of `total`, in whatever the component counts
    total: float = 0.0
    note: str = ""
    peak_memory_bytes: int = 0  # of the worker's process, since that began
    memory_limit_bytes: int = 0  # of the worker's machine or control group
    reason: str = ""  # why it failed, was skipped or had to run
    key: str = ""
    artifact: str = ""  # the artifact's folder, relative to the root
    digest: str = ""
    summary: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_scanning(self) -> bool:
        """Whether shards of the node are at work."""
        return self.state == "running" and self.note.partition(", ")[0] == SHARDS


class RunRecord(Document):
    """The record of one run: its command, config, state and nodes."""

    run_id: str
    state: RunState
    command: tuple[str, ...]
    started: str  # ISO 8601, UTC
    seconds: float = 0.0
    process: int
    process_began: str = ""  # as `root_lock.process_began` returns it
    host: str = ""
    reason: str = ""  # of a killed run: in which component, and what its memory was
    config: dict[str, Any]
    nodes: tuple[NodeRecord, ...] = ()

    def node_with(self, word: str) -> NodeRecord | None:
        """Returns the node whose summary has this word (see `Artifact.summary`), such as "blessed" or "version"."""
        return next((node for node in self.nodes if word in node.summary), None)


class RunFolder:
    """The folder of one run, `<root>/runs/<run_id>`."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.path = root / "runs" / run_id
        self.log = self.path / "log.txt"

    def create(self) -> None:
        """Creates the folder. Raises UsageError if it cannot be written to."""
        try:
            (self.path / "nodes").mkdir(parents=True, exist_ok=True)
            (self.path / STOP).unlink(missing_ok=True)
            for state in (self.path / "nodes").iterdir():  # of an earlier run of this name
                state.unlink()
        except OSError as error:
            raise unwritable(self.root, error) from error

    def begin(self, record: RunRecord) -> None:
        """Creates the folder and writes the record. Raises UsageError as `create` and `check_run_id` do."""
        with beginning(self.root):
            check_run_id(self.root, self.run_id)
            self.create()
            self.write(record)

    def write(self, record: RunRecord) -> None:
        """Replaces the record in one step."""
        write_whole(self.path / "run.json", record.model_dump_json(indent=1) + "\n")

    def stop(self) -> None:
        """Tells the run to stop: no further component begins, on any machine."""
        (self.path / STOP).touch()

    @property
    def stopping(self) -> bool:
        """True once the run was told to stop."""
        return (self.path / STOP).exists()

    def write_node(self, node: NodeRecord) -> None:
        """Replaces the node's state in one step.

        A node that has its artifact keeps its state: neither a duplicate of its work that still reports, nor another
        look-up that finds the artifact, is news.
        """
        before = self.read_node(node.component)
        if before.state in ("ran", "cached", "reused") and (
            node.state in ("running", "failed") or node.digest == before.digest
        ):
            return
        path = self.path / "nodes" / f"{node.component}.json"
        path.parent.mkdir(parents=True, exist_ok=True)  # it does not exist yet on another machine
        write_whole(path, node.model_dump_json() + "\n")

    def read(self) -> RunRecord | None:
        """Returns the record, or None if there is none that can be read."""
        try:
            return RunRecord.model_validate_json((self.path / "run.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def read_node(self, component: str) -> NodeRecord:
        """Returns the node's state, which is "waiting" if it has not begun."""
        try:
            node = NodeRecord.model_validate_json((self.path / "nodes" / f"{component}.json").read_bytes())
            return self._scanning(node) if node.is_scanning else node
        except (OSError, ValidationError):
            return NodeRecord(component=component, state="waiting")

    def begun_nodes(self) -> list[NodeRecord]:
        """Returns the states of the nodes that have begun, from their own files."""
        return [self.read_node(path.stem) for path in sorted((self.path / "nodes").glob("*.json"))]

    def write_waiting(self, component: str, note: str) -> None:
        """Writes that a node waits for another attempt, and forgets which workers have begun its shards."""
        self._begun(component).unlink(missing_ok=True)
        self.write_node(NodeRecord(component=component, state="waiting", note=note))

    def write_scan(self, node: NodeRecord, shards: int) -> None:
        """Writes the node's state before `shards` shards are scanned, with none begun. Its note is kept."""
        self._begun(node.component).unlink(missing_ok=True)
        _append(self._begun(node.component), "")
        note = ", ".join(filter(None, (SHARDS, node.note)))
        self.write_node(node.model_copy(update={"total": shards, "note": note}))

    def begin_shard(self, component: str) -> None:
        """Counts one more shard as begun. Several processes may do so at once: it only appends a short line."""
        _append(self._begun(component), f"{this_worker()} {peak_memory_bytes()}\n")

    def scanned_by(self, component: str) -> list[str]:
        """Returns the worker of each shard that was begun, as host:process; none if the node scans no shards."""
        return [line.split()[0] for line in self._begun_lines(component)]

    def _scanning(self, node: NodeRecord) -> NodeRecord:
        """Returns the state of a node whose shards are being scanned, by any number of processes."""
        lines = self._begun_lines(node.component)
        peaks = [int(line.split()[1]) for line in lines if " " in line]  # earlier versions wrote no memory
        return node.model_copy(update={"done": len(lines), "peak_memory_bytes": max([node.peak_memory_bytes, *peaks])})

    def _begun_lines(self, component: str) -> list[str]:
        files = sorted((self.path / "nodes").glob(f"{component}.begun*"))
        return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    def _begun(self, component: str) -> Path:
        return self.path / "nodes" / f"{component}.begun"

    def append_log(self, text: str) -> None:
        """Appends text to the run's log."""
        _append(self.log, text.rstrip() + "\n")


def this_worker() -> str:
    """Returns the name of this process among all machines, as host:process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def new_run_id() -> str:
    """Returns a new run identifier that sorts by time, such as 20261123-024500-4f2a."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def check_run_id(root: Path, run_id: str) -> None:
    """Raises UsageError if `run_id` is not a plain file name, or names a run that is at work or has ended well."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run_id):
        raise UsageError(f"--run_id {run_id!r}: expected up to 100 letters, digits, dots, dashes and underscores.")
    record = RunFolder(root, run_id).read()
    if record is not None and record.state == "running" and is_alive(record):
        raise UsageError(
            f"--run_id {run_id}: that run is at work, as process {record.process}. Wait for it, or choose another."
        )
    if record is not None and record.state not in ("running", "failed", "interrupted", "killed"):
        raise UsageError(f"--run_id {run_id}: that run has ended ({record.state}). Choose another, or leave it out.")


def run_records(root: Path) -> Iterator[RunRecord]:
    """Yields the records of all runs below the root, the oldest first."""
    records = (RunFolder(root, path.parent.name).read() for path in (root / "runs").glob("*/run.json"))
    yield from sorted((record for record in records if record is not None), key=lambda record: record.started)


def is_alive(record: RunRecord) -> bool:
    """Returns whether the process that wrote this record of a running run still exists on this machine."""
    began = process_began(record.process)
    # Records of earlier versions have neither `process_began` nor `host`.
    return bool(began) and record.process_began in ("", began) and not is_elsewhere(record)


def is_elsewhere(record: RunRecord) -> bool:
    """Returns whether the run's process is one of another machine: whether it still exists cannot be seen here."""
    return record.host not in ("", socket.gethostname())


def shown_state(record: RunRecord) -> str:
    """Returns the state of the run; that of a run at work on another machine as `running on HOST`."""
    return f"running on {record.host}" if record.state == "running" and is_elsewhere(record) else record.state


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
