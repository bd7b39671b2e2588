"""The base of what is sent to workers: on whichever machine it arrives, it finds the store and the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.component import Component
from components.local_copies import local_copy
from components.object_storage import configure
from pipeline.orchestrator.run_record import RunFolder
from pipeline.orchestrator.same_code import require_same_code
from pipeline.orchestrator.shared_run_folder import SharedRunFolder
from pipeline.store.local_store import Store
from pipeline.store.remote_store import RemoteStore


class Travelling:
    """A part of a run. Of a root in object storage only the URL travels: each machine has a copy at its own path."""

    component: Component
    root: Path
    run_id: str
    url: str  # of the object storage that the root is a local copy of; empty if there is none
    apart: bool  # whether workers may be on machines that share nothing but that storage
    beam_args: tuple[str, ...]
    code: Mapping[str, str]  # of the command: see `same_code`

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "root": None} if self.url else self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "root": local_copy(state["url"])} if state["url"] else state)

    @property
    def _store(self) -> Store:
        configure(self.beam_args)
        return RemoteStore(self.root, self.url) if self.url else Store(self.root)

    @property
    def _run_folder(self) -> RunFolder:
        if not self.apart:
            return RunFolder(self.root, self.run_id)
        configure(self.beam_args)
        return SharedRunFolder(self.root, self.run_id, self.url)

    def _require_same_code(self) -> None:
        """Raises ComponentError on a worker whose code differs from that of the command."""
        require_same_code(self.component.name, type(self.component).__module__, self.code)

    def _look_at_published(self) -> None:
        """Brings what the bucket has of published versions here, if it was another machine that looked before."""
        if self.apart:
            self._store.fetch_shared(None)
