"""Loads the inputs of a component on the machine that works on it, which may not be the one that made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from components.artifacts import Artifact
from components.component import Component, Workspace
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from pipeline.store.packing import ROOT


def load_inputs(
    store: Store, manifests: Iterable[Manifest], makers: Sequence[Component], workspace: Workspace
) -> list[Artifact]:
    """Returns the artifacts, with their files and data on this machine. `makers` are the components that made them.

    Raises OSError if one is damaged, or the storage cannot be reached, and ComponentError if data is not to be had.
    """
    loaded = [store.load(each, maker.artifact) for each, maker in zip(manifests, makers, strict=True)]
    if not store.url:
        return loaded
    return [_bring(each, maker, workspace) for each, maker in zip(loaded, makers, strict=True)]


def anchors(root: Path, names: Sequence[str], artifacts: Sequence[Artifact]) -> dict[str, Path]:
    """Returns the paths on this machine of what shards may speak of: the root, and data outside of it.

    `names` are those of the artifacts, in their order.
    """
    outside = {
        f"{name}.{field}": path
        for name, artifact in zip(names, artifacts, strict=False)
        for field, path in _outside(artifact, root).items()
    }
    return {ROOT: root, **outside}


def _bring(artifact: Artifact, maker: Component, workspace: Workspace) -> Artifact:
    """Returns the artifact with its data outside of the root on this machine."""
    outside = _outside(artifact, workspace.root)
    return artifact.model_copy(update={name: maker.bring(place, workspace) for name, place in outside.items()})


def _outside(artifact: Artifact, root: Path) -> dict[str, Path]:
    return {name: place for name, place in artifact.places().items() if not place.is_relative_to(root)}
