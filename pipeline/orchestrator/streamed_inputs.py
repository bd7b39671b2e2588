"""Loads inputs that are too large for this machine's disk: large files are fetched as they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.artifacts import Artifact
from components.component import Component, ComponentError, Workspace
from components.object_storage import RemoteFile, RemoteFolder, is_remote
from components.storage_requests import ObjectChangedError
from components.streamed_files import StreamedFiles, folder_of_process
from pipeline.orchestrator.loaded_inputs import load_inputs
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest


@contextmanager
def inputs_of(
    component: Component, store: Store, manifests: Sequence[Manifest], makers: Sequence[Component], workspace: Workspace
) -> Iterator[list[Artifact]]:
    """Yields the artifacts that a component works on: of those for which it sets a bound, without their large files.

    Raises OSError and ComponentError as `load_inputs` does, also if a file cannot be fetched while it works.
    """
    loaded: list[Artifact] = []
    with ExitStack() as stack:
        for name, manifest, maker in zip(component.inputs, manifests, makers, strict=False):
            most = component.max_fetched_bytes(name)
            large = None if most is None else _large(store, manifest, maker, most)
            if large is None or most is None:
                loaded += load_inputs(store, [manifest], [maker], workspace)
            else:
                loaded.append(stack.enter_context(_streamed(store, manifest, maker, large, most)))
        yield loaded


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
    remote = RemoteFolder(store.url).folder(place)
    return _Source(remote, remote.files())


@contextmanager
def _streamed(
    store: Store, manifest: Manifest, maker: Component, source: _Source, max_bytes: int
) -> Iterator[Artifact]:
    """Yields the artifact with its small files in a folder of this process, and removes that at the end."""
    if faults := store.faults(manifest):
        raise OSError(f"{store.url}/{manifest.folder} cannot be read: {faults[0]}")
    kind = maker.artifact
    large, small = source.split(kind.STREAMED)
    with folder_of_process(store.root) as folder:
        document, data = folder / "document", folder / "data"
        source.remote.fetch(small, data)
        own = RemoteFolder(store.url).folder(manifest.folder)
        beside = own.files() if manifest.places else []
        own.fetch(beside, document)
        artifact = kind.read(
            document if manifest.places else data, manifest.digest, **dict.fromkeys(manifest.places, data)
        )
        small_bytes = sum(file.size for file in small + beside)
        streamed = StreamedFiles(source.remote, large, folder / "files", max_bytes - small_bytes)
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
