"""Hands files that one worker of a scan writes to those that read them, where machines share nothing but a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.files import write_whole
from components.object_storage import RemoteFolder


@dataclass(frozen=True)
class FileExchange:
    """The place in object storage through which files below a pipeline root go. It travels with the shards."""

    root: Path = Path()  # on this machine
    url: str = ""  # of the storage that `root` is a copy of; empty: all workers see one disk, and nothing is done

    def put(self, *files: Path) -> None:
        """Uploads finished files, in this order: whoever gathers them fetches them by their names below the root.

        Raises OSError if the storage cannot be reached.
        """
        for file in files if self.url else ():
            RemoteFolder(self.url).upload(self.root, [self._name(file)])

    def get(self, *files: Path) -> None:
        """Fetches those of the files that this machine has not, and the storage has. Raises OSError as `put` does."""
        for file in files if self.url else ():
            if not file.exists() and (data := RemoteFolder(self.url).read(self._name(file))) is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, data)

    def _name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()
