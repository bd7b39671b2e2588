"""Uploads a folder at which a component works, while it works: what it leaves there must outlive the machine."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from components.object_storage import RemoteFolder
from pipeline.background import in_background

INTERVAL_SECONDS = 10.0  # at least, between two uploads
LOOKING_SECONDS = 0.5

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def uploading(remote: RemoteFolder, root: Path, folder: Path) -> Iterator[None]:
    """Uploads what changed below `folder` every few seconds until the block ends. Only logs a failed upload.

    `remote` has what `root` has, by the same names.
    """
    with in_background(functools.partial(_keep_uploading, remote, root, folder), "uploading"):
        yield


def _keep_uploading(remote: RemoteFolder, root: Path, folder: Path, ended: threading.Event) -> None:
    shared: dict[Path, int] = {}
    due = 0.0  # the first upload comes at once: a short training, too, must outlive its machine
    while not ended.wait(LOOKING_SECONDS):
        try:
            now = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if is_whole(path)}
            changed = [path for path, time_ns in now.items() if shared.get(path) != time_ns]
            if changed and time.monotonic() >= due:
                remote.upload(root, [path.relative_to(root).as_posix() for path in changed])
                shared, due = now, time.monotonic() + INTERVAL_SECONDS
        except OSError as error:
            logger.warning("%s could not be uploaded: %s", folder, error)


def is_whole(path: Path) -> bool:
    """Returns whether a path is a finished file, and not a draft that its writer will rename."""
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".unfinished"
