"""Knows files again by their bytes if only their times have changed: copied anew, synchronized, or touched.

A table below the pipeline root says of each file that was read: its size, its time, the SHA-256 of its bytes, and the
time that counts in the source's fingerprint. A file with another time is read again: if its bytes are the same, the
time that counts stays. The table is a cache and no part of an artifact. Without it, every new time is a change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from components.files import CHUNK_BYTES, write_whole

FOLDER = "known_files"  # below the pipeline root
_VERSION = 1
_MAX_FILES = 100_000  # in a table: a larger one would take longer to read than a fingerprint may
_MAX_BYTES = 1 << 30  # read for one fingerprint; what lies beyond counts as changed
_COARSEST_TIME_NS = 2 * 10**9  # FAT's; a file may change twice within one time


class KnownFile(NamedTuple):
    """A file as it was read. Times are in nanoseconds since 1970."""

    size: int
    seen_ns: int  # 0: it may have changed since, within one time
    counted_ns: int  # the time with which these bytes go into the fingerprint
    sha256: str


class KnownFiles:
    """The files of one source that were read before. Threads may share it."""

    def __init__(self, root: Path, source: Path) -> None:
        """Reads the table of `source` from the pipeline root. One that is not there, or damaged, is empty."""
        digest = hashlib.sha256(os.fsencode(os.path.abspath(source))).hexdigest()
        self._path = root / FOLDER / f"{digest[:16]}.json"
        self._known = _load(self._path)
        self._noted: dict[str, KnownFile] = {}
        self._bytes_left = _MAX_BYTES

    def __bool__(self) -> bool:
        """Returns whether any file was read before; if none was, the time that counts is each file's own."""
        return bool(self._known)

    def counted_ns(self, name: str, path: str, status: os.stat_result) -> int:
        """Returns the time that counts for a file: an earlier one if its bytes are those that were read then.

        `name` is the file's path relative to the source; `status` is its present state.
        """
        known = self._known.get(name)
        if known is None or known.size != status.st_size:
            return status.st_mtime_ns
        if known.seen_ns == status.st_mtime_ns:
            return known.counted_ns
        self.read(name, path, status)
        return self._noted[name].counted_ns if name in self._noted else status.st_mtime_ns

    def read(self, name: str, path: str, status: os.stat_result) -> None:
        """Reads a file in order to note it, unless it is no regular file, or too much would be read in all."""
        if not stat.S_ISREG(status.st_mode) or status.st_size > self._bytes_left:
            return
        self._bytes_left -= status.st_size
        digest = hashlib.sha256()
        with contextlib.suppress(OSError), open(path, "rb") as file:
            while block := file.read(CHUNK_BYTES):
                digest.update(block)
            if is_unchanged(status, os.fstat(file.fileno())):
                self.note(name, status.st_size, status.st_mtime_ns, time.time_ns(), digest.hexdigest())

    def note(self, name: str, size: int, time_ns: int, read_ns: int, sha256: str) -> None:
        """Notes a file: its size and time, before and after it was read at `read_ns`, and the SHA-256 of its bytes."""
        if len(self._noted) > _MAX_FILES:
            return
        known = self._known.get(name)
        same = known is not None and (known.size, known.sha256) == (size, sha256)
        counted_ns = known.counted_ns if known is not None and same else time_ns
        is_settled = counted_ns == time_ns or time_ns < read_ns - _COARSEST_TIME_NS
        self._noted[name] = KnownFile(size, time_ns if is_settled else 0, counted_ns, sha256)

    def update(self) -> None:
        """Writes the table if files were noted. Others stay as they are."""
        if self._noted:
            self._write({**self._known, **self._noted})

    def replace(self) -> None:
        """Writes a table of the files that were noted, and no others. More than a table holds leave the old one."""
        if len(self._noted) <= _MAX_FILES:
            self._write(self._noted)

    def _write(self, files: dict[str, KnownFile]) -> None:
        with contextlib.suppress(OSError):  # a cache; the next fingerprint does without it
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps({"version": _VERSION, "files": files}))


def is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Returns whether a file has the same size and time in both states."""
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _load(path: Path) -> dict[str, KnownFile]:
    try:
        table = json.loads(path.read_bytes())
        files = {name: KnownFile(*fields) for name, fields in table["files"].items()}
        return files if table["version"] == _VERSION and all(map(_is_whole, files.values())) else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _is_whole(file: KnownFile) -> bool:
    return all(type(number) is int for number in file[:3]) and isinstance(file.sha256, str)
