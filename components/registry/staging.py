"""Published versions: folders with integer names that appear whole or not at all, and one for each model."""

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

from components.files import digest_file
from components.registry.layout import PROVENANCE, STAGING_PREFIX, WITHDRAWN
from components.registry.pointers import locked, withdrawn
from components.registry.versions import find_model, numbers

STALE_SECONDS = 24 * 3600
# Locks are seen on the same machine, and not on every network's disk from another one.
_HIDDEN_HERE = f"{STAGING_PREFIX}{socket.gethostname()}-"


@contextlib.contextmanager
def staging_folder(pushed: Path) -> Iterator[Path]:
    """An empty folder beside the versions, gone afterwards unless it was published.

    It is locked meanwhile: what a killed process left is not, and goes when the next one starts on the same machine.
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
    """What attempts that were killed left behind: at once if it is known that they were, or a day later."""
    for folder in pushed.glob(f"{STAGING_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(folder) as is_ours:
            certain = is_ours and folder.name.startswith(_HIDDEN_HERE)
            if certain or time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether this process holds the folder now. It does not if another one does, or the disk knows no locks."""
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
    """Lists every file of the version and flushes all to the disk. The last thing before `publish`."""
    files = {
        path.relative_to(staging).as_posix(): {"sha256": digest_file(path), "bytes": path.stat().st_size}
        for path in sorted(staging.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({**record, "identity": identity, "files": files}, indent=1, ensure_ascii=False)
    (staging / PROVENANCE).write_text(text + "\n", encoding="utf-8")
    for path in staging.rglob("*"):
        _flush(path)


def publish(staging: Path, pushed: Path, identity: str) -> Path:
    """Gives the staged folder the next free number, unless a version of this identity is there already.

    It waits for a rollback to end. Where the disk's locks do not reach other machines, two at once still cannot both
    succeed: both look for the identity and the highest number in one listing, and a rename onto a number that was
    taken meanwhile fails, whereupon they look again.
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
                _flush(pushed)
                return target


def find_version(pushed: Path, identity: str) -> Path | None:
    """The version that was published of this identity, if all of its files are as they were."""
    return _matching(pushed, numbers(pushed), identity)


def find_withdrawn(pushed: Path, model_digest: str) -> int | None:
    """The version of this model that was taken back, unless another one of it is published."""
    if find_model(pushed, model_digest) is not None:
        return None
    version = find_model(pushed / WITHDRAWN, model_digest)
    return None if version is None else version.number


def read_provenance(version: Path) -> dict[str, Any]:
    """What `write_provenance` left. Raises FileNotFoundError where there is none."""
    return json.loads((version / PROVENANCE).read_bytes())


def _matching(pushed: Path, published: list[int], identity: str) -> Path | None:
    for version in (pushed / str(number) for number in reversed(published)):
        try:
            provenance = read_provenance(version)
        except (OSError, ValueError):
            continue  # not ours, or damaged
        if provenance.get("identity") == identity and _intact(version, provenance["files"]):
            return version
    return None


def _intact(version: Path, files: dict[str, dict[str, Any]]) -> bool:
    return all(
        (version / name).is_file() and digest_file(version / name) == file["sha256"] for name, file in files.items()
    )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
