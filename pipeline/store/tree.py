"""What lies in a store, as the clean-up sees it: folders of keys and attempts, their sizes, and how to remove them.

Folders are paths below the root. Of a store in object storage they may exist there alone.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from components.object_storage import RemoteFile, RemoteFolder
from pipeline.store.local_store import Store
from pipeline.store.manifest import MANIFEST, is_key

ATTEMPT = "attempt-"
SCRATCH = "scratch"


class Tree:
    """The folders of a store on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def homes(self, component: str) -> list[Path]:
        """Returns the folders of all keys of a component."""
        return sorted(path for path in (self.root / component).glob("*") if is_key(path.name) and path.is_dir())

    def is_whole(self, home: Path) -> bool:
        """Returns whether an artifact was committed under a key."""
        return (home / MANIFEST).exists()

    def attempts(self, home: Path) -> list[Path]:
        """Returns the folders of all attempts under a key; the scratch folder, too, if the key is committed.

        A late attempt may have left that. Where nothing is committed, the next attempt goes on from there.
        """
        left = [home / SCRATCH] if self.is_whole(home) and (home / SCRATCH).exists() else []
        return sorted([*home.glob(f"{ATTEMPT}*"), *left])

    def last_written(self, folder: Path) -> float:
        """Returns the newest time of change below a folder, in seconds since 1970; now if a file vanishes meanwhile."""
        try:
            return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        except FileNotFoundError:
            return time.time()

    @property
    def seconds_now(self) -> float:
        """The time of the clock by which things are written, in seconds since 1970."""
        return time.time()

    def byte_count(self, folder: Path) -> int:
        """Returns the bytes that its removal frees: not those of files that another folder has as well."""
        files = (path.stat() for path in folder.rglob("*") if path.is_file())
        return sum(status.st_size for status in files if status.st_nlink == 1)

    def remove(self, folder: Path) -> None:
        """Removes a folder; its manifest first, so that nobody finds a half-removed artifact."""
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Stored:
    """What object storage has of one folder."""

    byte_count: int = 0
    last_written: float = 0.0  # seconds since 1970
    is_whole: bool = False

    def add(self, file: RemoteFile) -> None:
        self.byte_count += file.size
        self.last_written = max(self.last_written, file.modified_ns / 1e9)


class RemoteTree(Tree):
    """The folders of a store in object storage, as they were when a component was first asked for.

    Methods raise OSError if the storage cannot be reached.
    """

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self._remote = RemoteFolder(url)
        self._stored: dict[str, dict[Path, _Stored]] = {}  # by component

    def homes(self, component: str) -> list[Path]:
        """Returns the folders of all keys of a component."""
        if component not in self._stored:
            self._stored[component] = self._list(component)
        home = self.root / component
        return sorted(each for each in self._stored[component] if each.parent == home)

    def is_whole(self, home: Path) -> bool:
        """Returns whether an artifact was committed under a key."""
        return self._of(home).is_whole

    def attempts(self, home: Path) -> list[Path]:
        """Returns the folders of all attempts under a key; the scratch folder, too, if the key is committed."""
        found = [each for each in self._stored[home.parent.name] if each.parent == home]
        return sorted(each for each in found if each.name != SCRATCH or self.is_whole(home))

    def last_written(self, folder: Path) -> float:
        """Returns when an object below a folder was written last, in seconds since 1970."""
        return self._of(folder).last_written

    @property
    def seconds_now(self) -> float:
        """The time of the storage's clock: this machine's may be an hour off."""
        return self._remote.seconds_now

    def byte_count(self, folder: Path) -> int:
        """Returns the bytes of all objects below a folder."""
        return self._of(folder).byte_count

    def remove(self, folder: Path) -> None:
        """Removes all objects below a folder, the manifest first, and the folder's copy on this machine."""
        name = folder.relative_to(self.root).as_posix()
        self._remote.remove_files([f"{name}/{MANIFEST}"])
        self._remote.remove(name)
        super().remove(folder)

    def _of(self, folder: Path) -> _Stored:
        return self._stored[folder.relative_to(self.root).parts[0]][folder]

    def _list(self, component: str) -> dict[Path, _Stored]:
        """Returns what is stored of each key, and of each attempt at one."""
        found: dict[Path, _Stored] = defaultdict(_Stored)
        for file in self._remote.iter_files(component):
            _, key, *rest = file.name.split("/")
            if not (rest and is_key(key)):
                continue
            home = self.root / component / key
            found[home].add(file)
            found[home].is_whole |= rest == [MANIFEST]
            if rest[0].startswith(ATTEMPT) or rest[0] == SCRATCH:
                found[home / rest[0]].add(file)
        return dict(found)


def open_tree(store: Store) -> Tree:
    """Returns the folders of a store, on this machine or in object storage."""
    return RemoteTree(store.root, store.url) if store.url else Tree(store.root)
