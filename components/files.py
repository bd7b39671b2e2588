"""Writes files that readers see whole or not at all, on disks of any kind, and computes their digests."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

CHUNK_BYTES = 1 << 20
CLAIM_SECONDS = 10.0  # after this time, the process that made a claim counts as gone
POLL_SECONDS = 0.05
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file that readers see whole or not at all. Text is written in UTF-8."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_arrays(path: Path, columns: Mapping[str, Any]) -> None:
    """Writes NumPy arrays as an .npz file that readers see whole or not at all; the same arrays give the same bytes."""
    import numpy as np

    draft = path.with_name(f".{uuid.uuid4().hex}.npz")
    np.savez(draft, **columns)
    os.replace(draft, path)


def place_once(draft: Path, final: Path) -> bool:
    """Links `draft` at `final` unless something is there, and returns whether it did.

    Of several at once, one succeeds.
    """
    try:
        os.link(draft, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _place_by_claim(draft, final)
    return True


def _place_by_claim(draft: Path, final: Path) -> bool:
    """Places the draft on a disk without hard links (exFAT, SMB, some FUSE).

    The process that creates the claim may move it.
    """
    claim = final.with_name(f".{final.name}.claim")
    while not final.exists():
        try:
            claim.open("x").close()
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - claim.stat().st_mtime > CLAIM_SECONDS:
                    claim.unlink()
            time.sleep(POLL_SECONDS)
            continue
        try:
            if not final.exists():
                os.replace(draft, final)
                return True
        finally:
            claim.unlink(missing_ok=True)
    return False


def lock(file: IO[Any], operation: int) -> None:
    """Locks an open file as `fcntl.flock` does; does nothing on a disk without locks."""
    try:
        fcntl.flock(file, operation)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise


def sync(path: Path) -> None:
    """Flushes a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network disks cannot flush folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flushes all files and folders below a folder, and the folder itself, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def digest_file(path: Path, done: Callable[[int], None] = lambda byte_count: None) -> str:
    """Returns the SHA-256 of the file's bytes, read in constant memory. `done` is called with each number of bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
            done(len(chunk))
    return found.hexdigest()
