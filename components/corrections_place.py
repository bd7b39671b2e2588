"""Reads and appends to the file of people's corrections, on this machine or in object storage.

Whoever appends may be killed, and any number may append at once. On this machine a lock keeps them apart; on S3 each
one writes the whole object, on condition that it is still the one that was read.
"""

from __future__ import annotations

import fcntl
import io
import os
import posixpath
import uuid
from pathlib import Path

from components.component import ComponentError
from components.files import lock, place_once, sync
from components.object_storage import RemoteFolder, is_remote

Place = Path | str  # a file on this machine, or the URL of an object
_END = b"\r\n"


def make_place(place: str) -> Place:
    """Returns a URL as it is, and anything else as a path."""
    return place if is_remote(place) else Path(place)


def read_bytes(place: Place) -> bytes:
    """Returns all bytes; none if there is no such file. Raises ComponentError if it cannot be read."""
    try:
        if isinstance(place, Path):
            return place.read_bytes()
        folder, name = _object(place)
        return folder.read(name) or b""
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ComponentError(f"{place} cannot be read: {error.strerror or error}") from error


def state(place: Place) -> tuple[int, ...]:
    """Returns what is different once the file has changed. Raises OSError if storage cannot be reached."""
    if not isinstance(place, Path):
        folder, name = _object(place)
        return folder.state(name)
    try:
        status = place.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def append(place: Place, header: bytes, lines: bytes) -> None:
    """Appends whole lines, after the header if the file is empty or not there. They are on the disk when it returns.

    A last line that was cut short is ended first. Raises OSError if it cannot be written; then nothing of the lines is
    in it.
    """
    if isinstance(place, Path):
        _append_here(place, header, lines)
        return
    folder, name = _object(place)
    # A request that is repeated, as its answer was lost, finds its own lines.
    folder.update(name, lambda there: there if lines in there else _begun(there, header) + lines)


def _begun(there: bytes, header: bytes) -> bytes:
    if not there:
        return header
    return there if there.endswith((b"\n", b"\r")) else there + _END


def _object(url: str) -> tuple[RemoteFolder, str]:
    return RemoteFolder(posixpath.dirname(url)), posixpath.basename(url)


def _append_here(path: Path, header: bytes, lines: bytes) -> None:
    if not path.exists():
        _create(path, header)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    with open(descriptor, "r+b", buffering=0) as file:
        lock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        data = (_end_of_cut_line(file, size) if size else header) + lines
        try:
            written = file.write(data)
            if written < len(data):
                file.write(data[written:])  # raises, as the disk is full
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def _end_of_cut_line(file: io.RawIOBase, size: int) -> bytes:
    file.seek(size - 1)
    return b"" if file.read(1) in (b"\n", b"\r") else _END


def _create(path: Path, header: bytes) -> None:
    """Makes a file with a header, unless somebody else has made it meanwhile."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.write_bytes(header)
        place_once(draft, path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)
