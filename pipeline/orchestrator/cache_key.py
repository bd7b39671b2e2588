"""The cache key of a component: a hash of everything that determines its output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components.component import ABSENT, Component
from pipeline.orchestrator.code_digest import code_digests
from pipeline.orchestrator.provenance import installed_version
from pipeline.store.manifest import Identity, Manifest


def identify(component: Component, root: Path, inputs: Mapping[str, Manifest]) -> Identity:
    """Returns everything that determines the component's output as things are now; `inputs` are manifests by name."""
    digests = {name: manifest.digest for name, manifest in inputs.items()}
    fingerprint = component.fingerprint(root, digests)
    return Identity(
        component=component.name,
        config=component.identity(),
        code=code_digests(type(component).__module__),
        libraries={name: installed_version(name) for name in component.libraries},
        inputs=digests,
        fingerprint=ABSENT if fingerprint is None else fingerprint,
    )
