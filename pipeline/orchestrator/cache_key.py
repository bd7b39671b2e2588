"""The cache key of a component's work: all that decides what it would make of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components.component import Component
from pipeline.orchestrator.code_digest import code_digests
from pipeline.store.manifest import Identity, Manifest

ABSENT = "absent"  # the fingerprint of a source that is not there yet


def identify(component: Component, root: Path, inputs: Mapping[str, Manifest]) -> Identity:
    """Returns all that decides what the component would make of these inputs, by name, as things are now."""
    digests = {name: manifest.digest for name, manifest in inputs.items()}
    fingerprint = component.fingerprint(root, digests)
    return Identity(
        component=component.name,
        config=component.identity(),
        code=code_digests(type(component).__module__),
        inputs=digests,
        fingerprint=ABSENT if fingerprint is None else fingerprint,
    )
