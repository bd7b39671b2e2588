"""Reads and writes the files of a folder on this machine with the calls of `RemoteFolder`, for whoever takes either."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.files import place_once, write_whole
from components.object_storage import RemoteFile, RemoteFolder, is_remote


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine, which need not be there yet. Hidden files count as none: they are drafts."""

    path: Path

    def files(self, below: str = "") -> list[RemoteFile]:
        """Returns all files below, sorted by name; names are relative to this folder. A missing folder has none."""
        return sorted(self.iter_files(below))

    def iter_files(self, below: str = "") -> Iterator[RemoteFile]:
        """Yields what `files` returns, in no order."""
        for place, folders, names in os.walk(self.path / below):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                relative = os.path.relpath(os.path.join(place, name), self.path)
                if not name.startswith(".") and (state := self.state(relative)) != (0, 0):
                    yield RemoteFile(relative, *state)

    def read(self, name: str) -> bytes | None:
        """Returns the bytes of a file; None if there is no such file."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, and replaces one that is already there. Readers see it whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def state(self, name: str) -> tuple[int, int]:
        """Returns the size and the time of a file, which change when it does; zeros if there is none."""
        try:
            status = (self.path / name).stat()
        except FileNotFoundError:
            return 0, 0
        return status.st_size, status.st_mtime_ns

    def create(self, name: str, data: bytes) -> bool:
        """Writes a file unless one is there; returns whether what is there then has these bytes."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            draft.write_bytes(data)
            return place_once(draft, path) or path.read_bytes() == data
        finally:
            draft.unlink(missing_ok=True)

    def remove_files(self, names: Iterable[str]) -> None:
        """Removes files. Those that are not there do not matter."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)


def folder_at(place: str) -> LocalFolder | RemoteFolder:
    """Returns the folder at a path, or at a URL of object storage."""
    return RemoteFolder(place) if is_remote(place) else LocalFolder(Path(place))
