"""Loads the inputs of a component on the machine that works on it, which may not be the one that made them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from components.artifacts import Artifact
from components.component import Component, Workspace
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from pipeline.store.packing import ROOT, Anchors

_anchors_of: dict[tuple[Path, ...], Anchors] = {}  # in this process, by the root and the folders of the inputs
_loading = threading.Lock()


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


def anchors_once(root: Path, manifests: Iterable[Manifest], load: Callable[[], Anchors]) -> Anchors:
    """Returns the anchors of these inputs. Only the first shard in a process loads them, while the others wait.

    `load` is called again if something is gone: the copies on a machine may be removed.
    """
    folders = (root, *(root / each.folder for each in manifests))
    with _loading:
        known = _anchors_of.get(folders)
        if known is None or not all(path.exists() for path in (*folders, *known.values())):
            known = _anchors_of[folders] = load()
        return known


def _bring(artifact: Artifact, maker: Component, workspace: Workspace) -> Artifact:
    """Returns the artifact with its data outside of the root on this machine."""
    outside = _outside(artifact, workspace.root)
    return artifact.model_copy(update={name: maker.bring(place, workspace) for name, place in outside.items()})


def _outside(artifact: Artifact, root: Path) -> dict[str, Path]:
    return {name: place for name, place in artifact.places().items() if not place.is_relative_to(root)}
