"""Loads inputs without their large files, which are fetched as they are read: for scans, and for small disks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.artifacts import Artifact
from components.component import Component, ComponentError, ShardedComponent, Workspace
from components.local_copies import DataCopy
from components.object_storage import RemoteFile, RemoteFolder, is_remote
from components.partial_copies import begin_part
from components.storage_requests import ObjectChangedError
from components.streamed_files import StreamedFiles, folder_of_process
from pipeline.orchestrator.loaded_inputs import load_input
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest


def loader(component: Component, apart: bool) -> Callable[[Store, Manifest, Component, Workspace], Artifact]:
    """Returns how inputs are loaded: a scan on machines that are `apart` needs on each only what its shards read."""
    return _load_for_scan if apart and isinstance(component, ShardedComponent) else load_input


@contextmanager
def inputs_of(
    component: Component,
    store: Store,
    manifests: Sequence[Manifest],
    makers: Sequence[Component],
    workspace: Workspace,
    apart: bool = False,
) -> Iterator[list[Artifact]]:
    """Yields the artifacts that a component works on: of those for which it sets a bound, without their large files.

    Raises OSError and ComponentError as `load_input` does, also if a file cannot be fetched while it works.
    """
    loaded: list[Artifact] = []
    with ExitStack() as stack:
        for name, manifest, maker in zip(component.inputs, manifests, makers, strict=False):
            most = component.max_fetched_bytes(name)
            large = None if most is None else _large(store, manifest, maker, most)
            if large is None or most is None:
                loaded.append(loader(component, apart)(store, manifest, maker, workspace))
            else:
                loaded.append(stack.enter_context(_streamed(store, manifest, maker, large, most)))
        yield loaded


def _load_for_scan(store: Store, manifest: Manifest, maker: Component, workspace: Workspace) -> Artifact:
    """Returns an artifact whose large files are fetched when they are first read, and then stay on this machine.

    If they are here already, it is as `load_input` returns it. Raises OSError and ComponentError as that does.
    """
    source = _large(store, manifest, maker, 0)
    if source is None:
        return load_input(store, manifest, maker, workspace)
    _require_whole(store, manifest)
    large, small = source.split(maker.artifact.STREAMED)
    copies = [DataCopy.named(place) for place in manifest.places.values() if is_remote(place)]
    data = begin_part(copies[0] if copies else DataCopy(source.remote.url, manifest.digest), small, large)
    document = data
    if manifest.places:
        own = _below(store, manifest.folder)
        document = begin_part(DataCopy(own.remote.url, manifest.digest), own.files, [])
    return maker.artifact.read(document, manifest.digest, **dict.fromkeys(manifest.places, data))


class _Source(NamedTuple):
    """A folder in the storage that an artifact consists of, and what is in it."""

    remote: RemoteFolder
    files: list[RemoteFile]

    def split(self, pattern: str) -> tuple[list[RemoteFile], list[RemoteFile]]:
        """Returns the files whose names have the pattern, and the others."""
        matching, others = list[RemoteFile](), list[RemoteFile]()
        for file in self.files:
            (matching if fnmatchcase(PurePosixPath(file.name).name, pattern) else others).append(file)
        return matching, others


def _large(store: Store, manifest: Manifest, maker: Component, max_bytes: int) -> _Source | None:
    """Returns the folder that holds the artifact's large files, if they are more than the bytes and not here."""
    pattern = maker.artifact.STREAMED
    if not store.url or not pattern or store.is_here(manifest):
        return None
    places = list(manifest.places.values()) or [manifest.folder]
    source = _listed(store, places[0], maker)
    large = source.split(pattern)[0] if source else []
    return source if sum(file.size for file in large) > max_bytes else None


def _listed(store: Store, place: str, maker: Component) -> _Source | None:
    if is_remote(place):
        found = maker.listing(store.path(place))
        return None if found is None else _Source(RemoteFolder(found[0]), found[1])
    if Path(place).is_absolute():
        return None
    return _below(store, place)


def _below(store: Store, place: str) -> _Source:
    remote = RemoteFolder(store.url).folder(place)
    return _Source(remote, remote.files())


def _require_whole(store: Store, manifest: Manifest) -> None:
    if faults := store.faults(manifest):
        raise OSError(f"{store.url}/{manifest.folder} cannot be read: {faults[0]}")


@contextmanager
def _streamed(
    store: Store, manifest: Manifest, maker: Component, source: _Source, max_bytes: int
) -> Iterator[Artifact]:
    """Yields the artifact with its small files in a folder of this process, and removes that at the end."""
    _require_whole(store, manifest)
    kind = maker.artifact
    large, small = source.split(kind.STREAMED)
    with folder_of_process(store.root) as folder:
        document, data = folder / "document", folder / "data"
        source.remote.fetch(small, data)
        own = _below(store, manifest.folder) if manifest.places else _Source(source.remote, [])
        own.remote.fetch(own.files, document)
        artifact = kind.read(
            document if manifest.places else data, manifest.digest, **dict.fromkeys(manifest.places, data)
        )
        small_bytes = sum(file.size for file in small + own.files)
        with closing(StreamedFiles(source.remote, large, folder / "files", max_bytes - small_bytes)) as streamed:
            try:
                yield artifact.model_copy(update={"streamed": streamed})
            except Exception as error:
                if streamed.failures and not isinstance(error, (ComponentError, OSError)):
                    raise _of_a_user(streamed.failures[0]) from error  # TensorFlow tells it as one of its own
                raise


def _of_a_user(failure: Exception) -> Exception:
    if isinstance(failure, ObjectChangedError):
        return ComponentError(f"{failure}. Run again once nobody writes there.")
    return failure
