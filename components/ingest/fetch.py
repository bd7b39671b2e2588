"""Copies data from object storage to this machine, where TensorFlow can read it.

A copy is whole when it appears, is named by the state that it holds, and is not changed after that: a later state
becomes another copy, which shares the files that are the same.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from components.component import ComponentError, Workspace
from components.files import write_whole
from components.ingest.object_listing import Listing
from components.ingest.sources import is_prepared, split_manifest
from components.local_copies import DataCopy, fetch_files, missing_files, share_files
from components.object_storage import RemoteFile, RemoteFolder

logger = logging.getLogger(__name__)
_LEFT_OUT = ".left_out.json"  # beside the folder of a copy


def list_data(url: str) -> Listing:
    """Returns what is to be read at `url`: of a manifest, all photos in its folder.

    Raises ComponentError if nothing is there, and OSError if there is no such bucket, or it cannot be reached.
    """
    folder, manifest = split_manifest(url)
    listing = Listing(RemoteFolder(folder).iter_files(), manifest)
    if not any(file.name == manifest or not manifest for file in listing):
        RemoteFolder(folder).require_existing_bucket()
        raise ComponentError(
            f"ingest.dataset is {url!r}: there are no objects of that name. Is it spelled as the bucket is?"
        )
    return listing


def fetch(url: str, listing: Listing, workspace: Workspace) -> Path:
    """Brings what is listed to this machine, unless it is there, and returns its folder, or the manifest in it.

    What another copy has is not fetched again. Raises ComponentError if an object has changed since it was listed, and
    OSError if the storage cannot be reached.
    """
    folder, manifest = split_manifest(url)
    copy = DataCopy(folder, listing.digest)
    if not _is_whole(copy.folder, listing):
        with copy.alone(lambda: workspace.report(0, 1, "another process of this machine copies the data")):
            if not _is_whole(copy.folder, listing):  # the other process may have made it
                copy.set_aside()
                _make(copy, listing, workspace)
    copy.use(workspace.root)
    return copy.folder / manifest


def fetch_copy(url: str, place: Path, workspace: Workspace) -> Path:
    """Brings the copy of a dataset that was found elsewhere in this run, or an earlier one, to `place`.

    Raises ComponentError and OSError as `list_copy` does.
    """
    return fetch(url, list_copy(url, place), workspace)


def list_copy(url: str, place: Path) -> Listing:
    """Returns what the copy of a dataset at `place`, here or on another machine, is a copy of.

    Raises ComponentError if the storage has another state of it now, and OSError if it cannot be reached.
    """
    listing = list_data(url)
    if DataCopy(url, listing.digest).folder != place:
        raise ComponentError(
            f"ingest.dataset={url}: objects were written after the run had looked at them. Run again once nobody "
            "writes there."
        )
    return listing


def not_copied(source: Path) -> list[tuple[str, str]]:
    """Returns the objects that are not in the copy at `source`, each with the reason; none of a folder of one's own."""
    folder = source if source.is_dir() else source.parent
    try:
        return [(name, reason) for name, reason in json.loads((folder.parent / _LEFT_OUT).read_bytes())]
    except FileNotFoundError:
        return []


def check_prepared(url: str, digest: str, root: Path) -> None:
    """Looks at the copy of a prepared dataset, if there is one: a damaged one is put aside, so that it is gone.

    An artifact refers to it by its path, and counts as damaged then. Notes that the root uses it.
    """
    copy = DataCopy(url, digest)
    if is_prepared(copy.folder):
        if not _is_whole(copy.folder, Listing(RemoteFolder(url).iter_files())):
            copy.set_aside()
        copy.use(root)


def _make(copy: DataCopy, listing: Listing, workspace: Workspace) -> None:
    """Makes the copy from those of other states, from what a killed process left, and from the storage."""
    making = copy.making
    making.mkdir(parents=True, exist_ok=True)
    _remove_others(making, listing)
    share_files(copy.url, listing, making)
    total = sum(file.size for file in missing_files(making, listing))
    progress = _Progress(workspace, total)
    try:
        fetch_files(copy.url, missing_files(making, listing), making, progress.add)
    except FileNotFoundError:  # on a disk without locks, another process may have finished the same copy
        if not _is_whole(copy.folder, listing):
            raise
        return
    if listing.left_out:
        logger.warning("%s: %s. They are left out; rename them", copy.url, listing.why_left_out())
        write_whole(making.parent / _LEFT_OUT, json.dumps(listing.left_out))
    copy.finish()


def _is_whole(folder: Path, listing: Listing) -> bool:
    """Returns whether the folder holds what the listing says, and nothing else."""
    return (
        folder.is_dir()
        and not any(missing_files(folder, listing))
        and sum(1 for _ in _all_files(folder)) == sum(1 for _ in listing)
    )


def _all_files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (f"{place}/{name}" for name in names)


def _remove_others(making: Path, listing: Listing) -> None:
    """Removes what a killed process left half, and what the listing does not name."""
    there = set(_all_files(making))
    for path in there.difference(f"{making}/{file.name}" for file in listing):
        os.unlink(path)
    for folder in [place for place, _, _ in os.walk(making, topdown=False)][:-1]:
        if not os.listdir(folder):
            os.rmdir(folder)


class _Progress:
    """A count of the megabytes that were fetched, by whichever thread."""

    def __init__(self, workspace: Workspace, byte_count: int) -> None:
        self._workspace, self._total, self._done = workspace, byte_count, 0
        self._lock = threading.Lock()

    def add(self, file: RemoteFile) -> None:
        with self._lock:
            self._done += file.size
            self._workspace.report(self._done / 1e6, self._total / 1e6, "MB fetched")
