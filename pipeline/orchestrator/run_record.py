"""What a run leaves behind for people: its record, the state of each node while it goes on, and its log.

<root>/runs/<run_id>/run.json             the record
<root>/runs/<run_id>/nodes/<component>.json  written by whichever process does the work
<root>/runs/<run_id>/nodes/<component>.begun a line for each shard that a worker has begun: the worker
<root>/runs/<run_id>/stop                 is there once the run was told to stop
<root>/runs/<run_id>/log.txt              everything that libraries say, and tracebacks
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
from pipeline.errors import UsageError, unwritable
from pipeline.orchestrator.root_lock import beginning, process_began

SHARDS = "shards"  # the note of a node that is scanning: its workers count what they have begun

NodeState = Literal["waiting", "running", "ran", "cached", "reused", "failed", "skipped"]
RunState = Literal[
    "running",
    "pushed",  # a version that was not there before
    "nothing new",  # something ran, and the model is one that had been published
    "nothing to do",
    "completed",  # as far as was asked, and not published
    "not blessed",
    "failed",
    "interrupted",
]


class NodeRecord(Document):
    """How far one component is, or how it ended."""

    component: str
    state: NodeState
    worker: str = ""  # that wrote this: host:process
    started: float = 0.0  # seconds since 1970
    seconds: float = 0.0
    done: float = 0.0  # of `total`, in whatever the component counts
    total: float = 0.0
    note: str = ""
    reason: str = ""  # why it failed, was skipped or had to run
    key: str = ""
    artifact: str = ""  # the artifact's folder, relative to the root
    digest: str = ""
    summary: dict[str, Any] = Field(default_factory=dict)


class RunRecord(Document):
    """One run, from the command to what came of it."""

    run_id: str
    state: RunState
    command: tuple[str, ...]
    started: str  # ISO 8601, UTC
    seconds: float = 0.0
    process: int
    process_began: str = ""  # as `at_work.process_began` says it
    host: str = ""
    config: dict[str, Any]
    nodes: tuple[NodeRecord, ...] = ()

    def node_with(self, word: str) -> NodeRecord | None:
        """Returns the node whose summary has this word (see `Artifact.summary`), such as "blessed" or "version"."""
        return next((node for node in self.nodes if word in node.summary), None)


class RunFolder:
    """The folder of one run."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.path = root / "runs" / run_id
        self.log = self.path / "log.txt"

    def create(self) -> None:
        """Makes the folder. Raises UsageError if nothing can be written there."""
        try:
            (self.path / "nodes").mkdir(parents=True, exist_ok=True)
            (self.path / "stop").unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.root, error) from error

    def begin(self, record: RunRecord) -> None:
        """Makes the folder and leaves the record there. Raises UsageError as `create` and `check_run_id` do."""
        with beginning(self.root):
            check_run_id(self.root, self.run_id)
            self.create()
            self.write(record)

    def write(self, record: RunRecord) -> None:
        """Replaces the record in one step."""
        write_whole(self.path / "run.json", record.model_dump_json(indent=1) + "\n")

    def stop(self) -> None:
        """Lets no further component begin, wherever it would."""
        (self.path / "stop").touch()

    @property
    def stopping(self) -> bool:
        """Whether the run was told to stop."""
        return (self.path / "stop").exists()

    def write_node(self, node: NodeRecord) -> None:
        """Replaces the node's state in one step."""
        path = self.path / "nodes" / f"{node.component}.json"
        path.parent.mkdir(parents=True, exist_ok=True)  # a worker elsewhere has seen nobody make it
        write_whole(path, node.model_dump_json() + "\n")

    def read(self) -> RunRecord | None:
        """The record, if there is one that can be read."""
        try:
            return RunRecord.model_validate_json((self.path / "run.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def read_node(self, component: str) -> NodeRecord:
        """The node's state; waiting if it has not begun."""
        try:
            node = NodeRecord.model_validate_json((self.path / "nodes" / f"{component}.json").read_bytes())
            scanning = node.state == "running" and node.note == SHARDS
            return node.model_copy(update={"done": len(self.scanned_by(component))}) if scanning else node
        except (OSError, ValidationError):
            return NodeRecord(component=component, state="waiting")

    def write_scan(self, node: NodeRecord, shards: int) -> None:
        """The node's state when its shards are about to be scanned."""
        self._begun(node.component).unlink(missing_ok=True)
        _append(self._begun(node.component), "")
        self.write_node(node.model_copy(update={"total": shards, "note": SHARDS}))

    def begin_shard(self, component: str) -> None:
        """Counts one more: a short line appended is safe between processes."""
        _append(self._begun(component), f"{this_worker()}\n")

    def scanned_by(self, component: str) -> list[str]:
        """The worker of each shard that was begun, as host:process."""
        return self._begun(component).read_text(encoding="utf-8").splitlines()

    def _begun(self, component: str) -> Path:
        return self.path / "nodes" / f"{component}.begun"

    def append_log(self, text: str) -> None:
        """Adds to the log."""
        _append(self.log, text.rstrip() + "\n")


def this_worker() -> str:
    """This process, where several machines may be at work."""
    return f"{socket.gethostname()}:{os.getpid()}"


def new_run_id() -> str:
    """Sorts by time: 20261123-024500-4f2a."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def check_run_id(root: Path, run_id: str) -> None:
    """Refuses an identifier that is no plain file name, or whose run is at work or has ended well."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run_id):
        raise UsageError(f"--run_id {run_id!r}: expected up to 100 letters, digits, dots, dashes and underscores.")
    record = RunFolder(root, run_id).read()
    if record is not None and record.state == "running" and is_alive(record):
        raise UsageError(
            f"--run_id {run_id}: that run is at work, as process {record.process}. Wait for it, or choose another."
        )
    if record is not None and record.state not in ("running", "failed", "interrupted"):
        raise UsageError(f"--run_id {run_id}: that run has ended ({record.state}). Choose another, or leave it out.")


def run_records(root: Path) -> Iterator[RunRecord]:
    """All runs below the root, the oldest first."""
    records = (RunFolder(root, path.parent.name).read() for path in (root / "runs").glob("*/run.json"))
    yield from sorted((record for record in records if record is not None), key=lambda record: record.started)


def is_alive(record: RunRecord) -> bool:
    """Whether the process of a run that says that it is running still exists, on this machine."""
    began = process_began(record.process)
    # Records of earlier versions say neither.
    return bool(began) and record.process_began in ("", began) and record.host in ("", socket.gethostname())


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
