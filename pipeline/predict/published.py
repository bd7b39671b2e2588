"""Names a published version so that a worker finds it on whichever machine it is, and loads it once a process."""

from __future__ import annotations

import functools
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from components.component import ComponentError
from components.files import digest_file
from components.object_storage import is_remote
from components.registry.layout import MODEL_CARD, PROVENANCE, version_folder
from pipeline.errors import UsageError
from pipeline.predict.served import LoadingError, ServedModel, find_version, load, read_card

_LOADING = threading.Lock()


@dataclass(frozen=True)
class PublishedVersion:
    """A version in a folder that all workers see under the same path, or in object storage, which is all they share."""

    root: str  # the pipeline root: an absolute path or a URL
    number: int
    digest: str  # of the record of all its files, which tells it from others with its number

    def load(self) -> ServedModel:
        """Returns the model, once per process, whatever the number of threads; from object storage it is fetched then.

        Raises ComponentError if the version is gone by now, or cannot be loaded.
        """
        if not is_remote(self.root):
            self._require_folder()
        with _LOADING:
            return _load_last(self)

    @property
    def is_there(self) -> bool:
        """Whether the version is still published. Raises LoadingError if the storage cannot be reached."""
        try:
            return _digest(find_version(self.root, self.number, with_model=False)) == self.digest
        except UsageError:
            return False

    def _require_folder(self) -> None:
        folder = version_folder(Path(self.root), self.number)
        if not (folder / MODEL_CARD).is_file():
            raise self._gone(str(folder))

    def _gone(self, place: str) -> ComponentError:
        return ComponentError(
            f"{place} is gone: it was withdrawn or removed meanwhile, or is not to be seen on this machine, "
            f"{socket.gethostname()}. Workers share the pipeline root, or object storage. Rows of another version go "
            "into another folder."
        )

    def fetch(self) -> Path:
        """Returns the version's folder on this machine. Raises ComponentError if the version is gone by now."""
        try:
            folder = find_version(self.root, self.number)
        except UsageError as error:
            raise self._gone(f"version {self.number} in {self.root}") from error
        if _digest(folder) != self.digest:
            raise ComponentError(f"{folder} is another version {self.number} now. Start the command again.")
        return folder


def open_published(root: str | Path, number: int | None) -> PublishedVersion:
    """Returns the version of this number, or the latest one, without fetching what only workers need.

    Raises UsageError if there is none, and LoadingError if it cannot be served, or the storage cannot be reached.
    """
    place = str(root) if is_remote(str(root)) else str(Path(root).absolute())
    folder = find_version(place, number, with_model=False)
    read_card(folder)
    return PublishedVersion(place, int(folder.name), _digest(folder))


@functools.lru_cache(maxsize=1)
def _load_last(version: PublishedVersion) -> ServedModel:
    try:
        return load(version.fetch())
    except LoadingError as error:
        raise ComponentError(str(error)) from error


def _digest(folder: Path) -> str:
    record = folder / PROVENANCE
    return digest_file(record if record.is_file() else folder / MODEL_CARD)
