"""Publishes versions: folders with integer names that appear whole or not at all, at most one for each identity."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.files import digest_file, sync, sync_folder
from components.registry.layout import PROVENANCE, STAGING_PREFIX, WITHDRAWN
from components.registry.pointers import locked, withdrawn
from components.registry.versions import find_model, numbers

STALE_SECONDS = 24 * 3600
# Locks work within one machine; on some network disks other machines do not see them.
_HIDDEN_HERE = f"{STAGING_PREFIX}{socket.gethostname()}-"


@contextlib.contextmanager
def staging_folder(pushed: Path) -> Iterator[Path]:
    """Yields an empty folder beside the versions, which is removed afterwards unless it was published.

    It is locked meanwhile. The folder of a killed process is not, and is removed by the next push on the same machine.
    """
    pushed.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with locked(pushed):
            _remove_stale(pushed)
            staging = pushed / f"{_HIDDEN_HERE}{uuid.uuid4().hex}"
            staging.mkdir()
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
            stack.enter_context(_locked(staging))
        yield staging


def _remove_stale(pushed: Path) -> None:
    """Removes the folders of killed attempts: at once if they are known to be killed, or else after a day."""
    for folder in pushed.glob(f"{STAGING_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(folder) as is_ours:
            certain = is_ours and folder.name.startswith(_HIDDEN_HERE)
            if certain or time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Yields whether this process holds the folder now: not if another one does, or if the disk has no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = True
    except OSError:
        locked = False
    try:
        yield locked
    finally:
        os.close(descriptor)


def write_provenance(staging: Path, identity: str, record: dict[str, Any]) -> None:
    """Writes the provenance, with the SHA-256 and size of every file of the version, and flushes all to the disk.

    It is the last step before `publish`.
    """
    files = {
        path.relative_to(staging).as_posix(): {"sha256": digest_file(path), "bytes": path.stat().st_size}
        for path in sorted(staging.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({**record, "identity": identity, "files": files}, indent=1, ensure_ascii=False)
    (staging / PROVENANCE).write_text(text + "\n", encoding="utf-8")
    sync_folder(staging)


def publish(staging: Path, pushed: Path, identity: str) -> Path:
    """Gives the staged folder the next free number, unless a version of this identity is there already.

    It waits for a rollback to end. If the disk's locks do not reach other machines, two pushes at once still cannot
    both succeed: each looks for the identity and the highest number in one listing. A rename onto a number that was
    taken meanwhile fails, and that push looks again.
    """
    with locked(pushed):
        while True:
            published = numbers(pushed)
            if (existing := _matching(pushed, published, identity)) is not None:
                return existing
            target = pushed / str(max([0, *published, *withdrawn(pushed)]) + 1)
            try:
                staging.rename(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
            else:
                sync(pushed)
                return target


def find_version(pushed: Path, identity: str) -> Path | None:
    """Returns the version that was published with this identity, if all of its files are unchanged; else None."""
    return _matching(pushed, numbers(pushed), identity)


def find_withdrawn(pushed: Path, model_digest: str) -> int | None:
    """Returns the number of this model's withdrawn version; None if there is none, or if another one is published."""
    if find_model(pushed, model_digest) is not None:
        return None
    version = find_model(pushed / WITHDRAWN, model_digest)
    return None if version is None else version.number


def find_provenance(version: Path) -> dict[str, Any]:
    """Returns the record that `write_provenance` wrote; an empty one if there is none, or one of another shape."""
    try:
        return parse_provenance((version / PROVENANCE).read_bytes())
    except OSError:
        return {}


def parse_provenance(document: bytes) -> dict[str, Any]:
    """Returns the record in a document; an empty one if push has not written it, or it is damaged."""
    try:
        record = json.loads(document)
        return record if all(isinstance(file, dict) for file in record["files"].values()) else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _matching(pushed: Path, published: list[int], identity: str) -> Path | None:
    for version in (pushed / str(number) for number in reversed(published)):
        provenance = find_provenance(version)
        if provenance.get("identity") == identity and _intact(version, provenance["files"]):
            return version
    return None


def _intact(version: Path, files: dict[str, dict[str, Any]]) -> bool:
    return all(
        (version / name).is_file() and digest_file(version / name) == file.get("sha256") for name, file in files.items()
    )
