"""Keeps the latest published model in memory, and follows pushes and rollbacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from components.registry.registry import Registry
from components.registry.versions import latest_version
from pipeline.predict.served import LoadingError, ServedModel, load

POLL_SECONDS = 0.5
STORAGE_POLL_SECONDS = 10.0  # each look at object storage is a request, which costs
RETRY_SECONDS = 30.0  # until a version that could not be loaded is tried again


class Status(NamedTuple):
    """The status of the model, as pages show it."""

    version: int | None  # the version that predicts
    confidence: float | None  # the smallest probability at which it names a class
    note: str  # for people; empty if all is well


class ModelReloader:
    """A thread that watches the published versions, loads a new one beside the old one, and swaps them in one step."""

    def __init__(self, registry: Registry, tell: Callable[[Status], None]) -> None:
        self.model: ServedModel | None = None
        self._registry, self._tell = registry, tell
        self._failed: tuple[Path, float] | None = None  # the version, and when
        self._note = ""
        self._settled, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="reloader", daemon=True)

    def start(self) -> None:
        """Begins to follow the published versions."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after its current step."""
        self._stop.set()

    def first_model(self, timeout_seconds: float) -> ServedModel | None:
        """Waits until a first model is loaded, and returns the current one; None if there is none."""
        self._settled.wait(timeout_seconds)
        return self.model

    def _follow(self) -> None:
        seconds = STORAGE_POLL_SECONDS if self._registry.is_copy else POLL_SECONDS
        while True:
            self._look()
            self._settled.set()
            if self._stop.wait(seconds):
                return

    def _look(self) -> None:
        try:
            self._registry.refresh()
            wanted = latest_version(self._registry.folder)
        except OSError as error:
            self._say(f"{self._registry.place} cannot be read: {error.strerror or error}.")
            return
        if wanted is None:
            self._say("" if self.model else "No model has been pushed yet: photos get no class until one is.")
        elif self.model is not None and wanted.name == str(self.model.version):
            self._say("")
        elif self._failed is None or self._failed[0] != wanted or time.monotonic() - self._failed[1] > RETRY_SECONDS:
            self._swap(wanted)

    def _swap(self, wanted: Path) -> None:
        self._say(f"Loading version {wanted.name}.")
        try:
            model = load(self._registry.fetch(wanted))
        except (LoadingError, OSError) as error:
            self._failed = wanted, time.monotonic()
            self._say(str(error))
            return
        self.model, self._failed, self._note = model, None, ""
        self._announce()

    def _say(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._announce()

    def _announce(self) -> None:
        if self.model is None:
            self._tell(Status(None, None, self._note))
            return
        stated = self.model.card.confidence is not None
        note = self._note or ("" if stated else "That is a default: its model card states none.")
        self._tell(Status(self.model.version, self.model.confidence, note))
