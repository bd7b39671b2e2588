"""The folder of a run whose workers share nothing but a bucket: what they report goes there, and the command follows.

Each process has files of its own where several would append to one: `nodes/<component>.begun-<worker>` and
`log-<worker>.txt`. That a report does not get through does not make the work fail.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from components.files import write_whole
from components.object_storage import RemoteFolder
from pipeline.orchestrator.run_record import STOP, NodeRecord, RunFolder

PROGRESS_SECONDS = 2.0  # at least, between two reports of a node's progress

logger = logging.getLogger(__name__)
_PROCESS = secrets.token_hex(3)  # machines may have the same name, and number their processes alike
_reported: dict[str, float] = {}  # when this process last reported the progress of a node, by its object


class SharedRunFolder(RunFolder):
    """The folder of a run as a worker on any machine sees it, below a local copy of the root."""

    def __init__(self, root: Path, run_id: str, url: str) -> None:
        super().__init__(root, run_id)
        self._remote = RemoteFolder(url).folder(f"runs/{run_id}")
        self._worker = f"{socket.gethostname()}-{os.getpid()}-{_PROCESS}"
        self.log = self.path / f"log-{self._worker}.txt"

    @property
    def stopping(self) -> bool:
        """True once the run was told to stop, on any machine. Raises OSError if the storage cannot be reached."""
        return super().stopping or self._remote.read(STOP) is not None

    def write_node(self, node: NodeRecord) -> None:
        """Replaces the node's state, here and in the storage; of its progress, only what is news after a while."""
        place = f"nodes/{node.component}.json"
        due = _reported.get(f"{self._remote.url}/{place}", 0.0) + PROGRESS_SECONDS
        if node.state == "running" and node.done and time.monotonic() < due:
            return
        with self._reporting():
            self._fetch(place)
        super().write_node(node)
        self._put(place)
        _reported[f"{self._remote.url}/{place}"] = time.monotonic()
        if node.state == "failed" and self.log.exists():
            self._put(self.log.name)

    def write_scan(self, node: NodeRecord, shards: int) -> None:
        """Writes the node's state before `shards` shards are scanned, with none begun by any worker."""
        with self._reporting():
            for file in self._remote.files("nodes"):
                if file.name.startswith(f"nodes/{node.component}.begun"):
                    self._remote.remove_file(file.name)
                    (self.path / file.name).unlink(missing_ok=True)
        super().write_scan(node, shards)

    def begin_shard(self, component: str) -> None:
        """Counts one more shard as begun by this process."""
        super().begin_shard(component)
        self._put(f"nodes/{self._begun(component).name}")

    def append_log(self, text: str) -> None:
        """Appends text to this process's log."""
        super().append_log(text)
        self._put(self.log.name)

    def _begun(self, component: str) -> Path:
        return self.path / "nodes" / f"{component}.begun-{self._worker}"

    def _fetch(self, place: str) -> None:
        data = self._remote.read(place)
        if data is not None:
            (self.path / place).parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path / place, data)

    def _put(self, place: str) -> None:
        with self._reporting():
            self._remote.upload(self.path, [place])

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            logger.warning("%s was not told how the work is getting on: %s", self._remote.url, error)
