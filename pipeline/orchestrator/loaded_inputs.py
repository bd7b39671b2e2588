"""Loads the inputs of a component on the machine that works on it, which may not be the one that made them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from components.artifacts import Artifact
from components.component import Component, Workspace
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from pipeline.store.packing import ROOT, Anchors

_anchors_of: dict[tuple[str, Path], Anchors] = {}  # in this process, by the input's name and its folder
_loading = threading.Lock()


def load_input(store: Store, manifest: Manifest, maker: Component, workspace: Workspace) -> Artifact:
    """Returns the artifact, with its files and data on this machine. `maker` is the component that made it.

    Raises OSError if it is damaged, or the storage cannot be reached, and ComponentError if data is not to be had.
    """
    artifact = store.load(manifest, maker.artifact)
    if not store.url:
        return artifact
    outside = {name: place for name, place in artifact.places().items() if not place.is_relative_to(workspace.root)}
    return artifact.model_copy(update={name: maker.bring(place, workspace) for name, place in outside.items()})


def anchors(root: Path, artifacts: Mapping[str, Artifact]) -> Anchors:
    """Returns the paths on this machine of what shards may speak of: the inputs, by their names, and the root."""
    inputs = (_anchors(name, artifact).items() for name, artifact in artifacts.items())
    return {**dict(chain.from_iterable(inputs)), ROOT: root}


def find_anchor(root: Path, manifests: Mapping[str, Manifest], load: Callable[[str], Artifact], anchor: str) -> Path:
    """Returns the path on this machine of one of the `anchors`; `manifests` are those of the inputs, by their names.

    Only the first shard in a process that speaks of an input loads it, by its name, while others wait. It is loaded
    again if something is gone: the copies on a machine may be removed.
    """
    if anchor == ROOT:
        return root
    name = anchor.partition(".")[0]
    input_ = name, root / manifests[name].folder
    with _loading:
        known = _anchors_of.get(input_)
        if known is None or not all(path.exists() for path in known.values()):
            known = _anchors_of[input_] = _anchors(name, load(name))
        return known[anchor]


def _anchors(name: str, artifact: Artifact) -> dict[str, Path]:
    return {f"{name}.{field}": path for field, path in {"folder": artifact.folder, **artifact.places()}.items()}
