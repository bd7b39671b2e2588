"""Copies data from object storage to this machine, where TensorFlow can read it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from components.component import ComponentError, Workspace
from components.ingest.fingerprint import walk, without_litter
from components.ingest.sources import split_manifest
from components.object_storage import RemoteFile, RemoteFolder, local_copy


def fetch(url: str, workspace: Workspace) -> Path:
    """Updates this machine's copy of what lies at `url`, and returns its folder. Only what has changed is fetched.

    Of a manifest it is all photos in the folder of the manifest. Litter, and videos beside photos, are not fetched.
    Raises ComponentError if nothing is there, and OSError if the storage cannot be reached.
    """
    folder, manifest = split_manifest(url)
    copy, remote = local_copy(folder), RemoteFolder(folder)
    wanted = {file.name: file for file in without_litter(remote.files(), manifest)}
    if not wanted or (manifest and manifest not in wanted):
        raise ComponentError(
            f"ingest.dataset is {url!r}: there are no objects of that name. Is it spelled as the bucket is?"
        )
    for entry in list(walk(copy)) if copy.is_dir() else []:
        file = wanted.get(Path(entry.path).relative_to(copy).as_posix())
        status = entry.stat()
        if file is None or (status.st_size, status.st_mtime_ns) != (file.size, file.modified_ns):
            Path(entry.path).unlink()
        else:
            del wanted[file.name]
    remote.fetch(wanted.values(), copy, _Progress(workspace, wanted.values()).add)
    return copy


class _Progress:
    """A count of the megabytes that were fetched, by whichever thread."""

    def __init__(self, workspace: Workspace, files: Iterable[RemoteFile]) -> None:
        self._workspace, self._total, self._done = workspace, sum(file.size for file in files), 0
        self._lock = threading.Lock()

    def add(self, file: RemoteFile) -> None:
        with self._lock:
            self._done += file.size
            self._workspace.report(self._done / 1e6, self._total / 1e6, "MB fetched")
