"""The manifest of an artifact: what it was made from, its digest and summary, and where its files are.

It is committed last, and nothing else travels along an edge of the graph.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

from components.artifacts import Document
from components.object_storage import is_remote

MANIFEST = "manifest.json"
KEY_LENGTH = 32  # hexadecimal digits of the SHA-256: 128 bits


def is_key(name: str) -> bool:
    """Returns whether a folder of this name may be that of a key."""
    return re.fullmatch(rf"[0-9a-f]{{{KEY_LENGTH}}}", name) is not None


def is_manifest(name: str) -> bool:
    """Returns whether an object of this name below a root is the manifest of a key."""
    component, _, place = name.partition("/")
    return component.isidentifier() and place.endswith(f"/{MANIFEST}") and is_key(place.removesuffix(f"/{MANIFEST}"))


class Identity(Document):
    """Everything that determines a component's output. Paths, times and runner options are not part of it."""

    component: str
    config: dict[str, Any]
    code: dict[str, str]  # digest by the name of a definition
    libraries: dict[str, str]  # versions by name, of those that decide what is made
    inputs: dict[str, str]  # digest by the input's name
    fingerprint: str  # of what the component reads outside of its inputs

    @property
    def key(self) -> str:
        """The cache key: the first 32 hexadecimal digits of the SHA-256 over the identity's canonical JSON."""
        return _digest(self.model_dump())[:KEY_LENGTH]

    @property
    def code_digest(self) -> str:
        """The SHA-256 of the code and of the libraries' versions."""
        return _digest([self.code, self.libraries])


def _digest(value: Any) -> str:
    """Returns the SHA-256 of the canonical JSON of a value, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class BuildInfo(Document):
    """The run, time, machine and library versions with which an artifact was made."""

    run_id: str
    finished: str  # ISO 8601, UTC
    seconds: float
    host: str = ""  # empty in what is published
    python: str
    libraries: dict[str, str]


class Reference(Document):
    """The place of an artifact in the store."""

    component: str
    key: str


class Manifest(Document):
    """The description of one committed artifact. It is what travels along an edge of the graph."""

    kind: str  # of the artifact: "examples"
    identity: Identity
    digest: str  # SHA-256 over relative paths, sizes and hashes of the payload
    folder: str  # relative to the root
    # Paths outside of the folder by name; relative to the root if they are in it, and URL#DIGEST of a copy of data.
    places: dict[str, str]
    file_count: int
    byte_count: int
    summary: dict[str, Any]
    inputs: dict[str, Reference]  # by the input's name
    build: BuildInfo

    @property
    def component(self) -> str:
        """The name of the component that made the artifact."""
        return self.identity.component

    @property
    def key(self) -> str:
        """The cache key under which the artifact is stored."""
        return self.identity.key

    @property
    def reference(self) -> Reference:
        """The place of the artifact in the store."""
        return Reference(component=self.component, key=self.key)

    @property
    def places_inside(self) -> dict[str, str]:
        """The places that are below the root."""
        return {name: place for name, place in self.places.items() if not (os.path.isabs(place) or is_remote(place))}

    def published(self, names_machines: bool = False) -> dict[str, Any]:
        """Returns what a published version may tell of it, as JSON values; unless asked, no host or absolute path."""
        if names_machines:
            return self.model_dump()
        return {**self.model_dump(exclude={"build": {"host"}}), "places": self.places_inside}
