"""What identifies data: cheaply, by what the file system says of it, and for good, by its bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from components.object_storage import RemoteFile

_BLOCK_BYTES = 1 << 20


def listing_digest(folder: Path) -> str:
    """SHA-256 over the relative path, size and modification time of every file below `folder`.

    No file is opened, and the entries of one directory and its ancestors are held at a time: a million files are fine.
    """
    digest = hashlib.sha256()
    for entry in walk(folder):
        status = _status(entry)
        name = _relative(entry, folder)
        digest.update(b"%s\0%d\0%d\n" % (name, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def remote_listing_digest(files: Iterable[RemoteFile]) -> str:
    """The same of objects in storage."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"%s\0%d\0%d\n" % (file.name.encode(), file.size, file.modified_ns))
    return digest.hexdigest()


def content_digest(directory: Path, report: Callable[[float, float, str], None] | None = None) -> str:
    """SHA-256 over the names, sizes and bytes of the files of a prepared dataset.

    `report` hears of the megabytes read so far, and of how many there are.
    """
    files = [entry for entry in walk(directory) if not entry.name.startswith(".")]
    total, done = sum(entry.stat().st_size for entry in files), 0
    digest = hashlib.sha256()
    for entry in files:
        digest.update(b"%s\0%d\n" % (_relative(entry, directory), entry.stat().st_size))
        with open(entry.path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                done += len(block)
                if report:
                    report(done / 1e6, total / 1e6, "MB checked")
    return digest.hexdigest()


def walk(folder: Path | str, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[os.DirEntry[str]]:
    """Everything below `folder` that is no directory, by name. Links are followed, but not into a loop."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as entries:
            by_name = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:  # the run will say so
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in by_name:
        if is_folder(entry):
            yield from walk(entry.path, above | {here})
        else:
            yield entry


def _relative(entry: os.DirEntry[str], folder: Path) -> bytes:
    """As `os.path.relpath`, in a tenth of the time."""
    return os.fsencode(entry.path[len(os.fspath(folder)) :])


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or links to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """Of what a link points to; of the link itself where that is not there."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)
