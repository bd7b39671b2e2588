"""The manifest of an artifact: what it was made of, what it came to, and where its files lie.

It is committed last, and it is all that travels along an edge of the graph.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from components.artifacts import Document

MANIFEST = "manifest.json"
KEY_LENGTH = 32  # hexadecimal digits of the SHA-256: 128 bits


class Identity(Document):
    """All that decides what a component makes. Paths, times and runner options are not among it."""

    component: str
    config: dict[str, Any]
    code: dict[str, str]  # digest by definition
    inputs: dict[str, str]  # digest by the input's name
    fingerprint: str  # what ingest saw of its source

    @property
    def key(self) -> str:
        """SHA-256 over the canonical JSON."""
        text = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


class BuildInfo(Document):
    """When, where and with what an artifact was made."""

    run_id: str
    finished: str  # ISO 8601, UTC
    seconds: float
    host: str
    python: str
    libraries: dict[str, str]


class Reference(Document):
    """Where an artifact is to be found in the store."""

    component: str
    key: str


class Manifest(Document):
    """One committed artifact. This is what travels along an edge of the graph."""

    kind: str  # of the artifact: "examples"
    identity: Identity
    digest: str  # SHA-256 over relative paths, sizes and hashes of the payload
    folder: str  # relative to the root
    places: dict[str, str]  # outside of the folder; relative to the root where they are in it
    file_count: int
    byte_count: int
    summary: dict[str, Any]
    inputs: dict[str, Reference]  # by the input's name
    build: BuildInfo

    @property
    def component(self) -> str:
        """The component that made it."""
        return self.identity.component

    @property
    def key(self) -> str:
        """The name under which it is kept."""
        return self.identity.key

    @property
    def reference(self) -> Reference:
        """Where it is to be found."""
        return Reference(component=self.component, key=self.key)
