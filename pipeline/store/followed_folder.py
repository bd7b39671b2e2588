"""Follows a folder in object storage to which several machines write small files, such as the states of a run."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from components.local_copies import is_same
from components.look_again import look_again
from components.object_storage import RemoteFile, RemoteFolder
from pipeline.background import in_background

INTERVAL_SECONDS = 2.0

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def following(remote: RemoteFolder, folder: Path, sent: str) -> Iterator[None]:
    """Fetches what others write to `remote` into `folder` every few seconds, and at the end, until the block ends.

    A file of this machine that is newer stays. The file named `sent` is uploaded as soon as it is there. Only logs what
    fails: the storage may answer next time.
    """
    with in_background(functools.partial(_follow, remote, folder, sent), "following"):
        yield


def _follow(remote: RemoteFolder, folder: Path, sent: str, ended: threading.Event) -> None:
    seen: dict[str, RemoteFile] = {}
    is_last = False
    while not is_last:
        is_last = ended.wait(INTERVAL_SECONDS)
        try:
            if sent not in seen and (folder / sent).exists():
                remote.upload(folder, [sent])
            look_again(functools.partial(_look, remote, folder, seen))
        except OSError as error:
            logger.warning("what other machines write to %s is not known: %s", remote.url, error)


def _look(remote: RemoteFolder, folder: Path, seen: dict[str, RemoteFile]) -> None:
    """Fetches what is new since the files were `seen`, and notes there, by name, what is there now."""
    listed = {file.name: file for file in remote.files()}
    new = [file for name, file in listed.items() if file != seen.get(name)]
    wanted = [file for file in new if not _is_ours(folder / file.name, file, seen.get(file.name))]
    remote.fetch(wanted, folder, lambda file: seen.update({file.name: file}))
    for name in seen.keys() - listed.keys():
        (folder / name).unlink(missing_ok=True)
    seen.clear()
    seen.update(listed)


def _is_ours(path: Path, file: RemoteFile, before: RemoteFile | None) -> bool:
    """Returns whether this machine wrote a file, no earlier than the storage got it.

    The times of two objects within a second are in no order, so that they do not tell of a file that was fetched.
    """
    if not path.exists() or is_same(path, before or file):
        return False
    return path.stat().st_mtime_ns >= file.modified_ns
