"""Keeps a folder like what object storage has of the published versions: all documents, other files when asked for.

Whoever calls this holds the lock of the folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from components.files import digest_file
from components.local_copies import is_same
from components.object_storage import RemoteFile, RemoteFolder
from components.registry.layout import MODEL_CARD, PINNED, PROVENANCE, SIGNATURE, WITHDRAWN
from components.registry.listing import Listing
from components.registry.pointers import remove_folder, update_pointers
from components.registry.staging import find_provenance
from components.registry.versions import numbers

DOCUMENTS = (MODEL_CARD, SIGNATURE, PROVENANCE)  # the last one makes a folder a version


def copy_documents(remote: RemoteFolder, pushed: Path, listing: Listing) -> None:
    """Makes the folder `pushed` have the versions of the listing, with their documents at least, and no others.

    Raises ObjectChangedError if an object was replaced or removed since it was listed.
    """
    for folder in (pushed, pushed / WITHDRAWN):
        for number in set(numbers(folder)) - set(listing.whole):
            remove_folder(pushed, folder / str(number))
    for number in listing.whole:
        _copy_version(remote, pushed, number, listing)
    _mark(pushed / PINNED, listing.pinned)
    update_pointers(pushed)


def fetch_files(remote: RemoteFolder, version: Path, without: str = "") -> None:
    """Fetches all files of a version that its folder lacks, but those whose names begin with `without`, if it is given.

    Raises OSError if they are damaged, or gone.
    """
    recorded = find_provenance(version).get("files")
    if recorded is None:
        raise OSError(f"{remote.url}/{version.name} is not there, or its {PROVENANCE} is damaged.")
    wanted = [name for name in recorded if not (without and name.startswith(without))]
    lacking = [name for name in wanted if not _has_size(version / name, recorded[name].get("bytes"))]
    if not lacking:
        return
    number, url = version.name, f"{remote.url}/{version.name}"
    there = Listing(remote.iter_files(number)).files.get(int(number), {})
    if gone := [name for name in lacking if name not in there]:
        raise OSError(
            f"{url} has lost {len(gone)} of its {len(recorded)} files, such as {gone[0]}. Roll back to another "
            "version, or publish it again."
        )
    _fetch(remote, version, [there[name] for name in lacking])
    for name in lacking:
        if digest_file(version / name) != recorded[name].get("sha256"):
            (version / name).unlink()
            raise OSError(f"{url}/{name} is damaged: its bytes are not those that were pushed.")


def _copy_version(remote: RemoteFolder, pushed: Path, number: int, listing: Listing) -> None:
    """Brings the documents of a version up to date; with another provenance, it is another version."""
    there = listing.files[number]
    version = _move(pushed, number, number in listing.withdrawn)
    wanted = [name for name in DOCUMENTS if name in there and not is_same(version / name, there[name])]
    if PROVENANCE in wanted and (version / PROVENANCE).exists():
        if remote.read(f"{number}/{PROVENANCE}") == (version / PROVENANCE).read_bytes():  # this machine published it
            os.utime(version / PROVENANCE, ns=(there[PROVENANCE].modified_ns,) * 2)
            wanted.remove(PROVENANCE)
        else:
            remove_folder(pushed, version)
            wanted = [name for name in DOCUMENTS if name in there]
    for name in wanted:
        _fetch(remote, version, [there[name]])


def _move(pushed: Path, number: int, is_withdrawn: bool) -> Path:
    """Returns the place of a version in the folder, after moving it there from where it was before, if need be."""
    places = (pushed / str(number), pushed / WITHDRAWN / str(number))
    old, new = places if is_withdrawn else places[::-1]
    if old.exists():
        remove_folder(pushed, new)
        new.parent.mkdir(exist_ok=True)
        old.rename(new)
    return new


def _fetch(remote: RemoteFolder, version: Path, files: list[RemoteFile]) -> None:
    """Fetches objects of a version, as the listing of all versions names them, into its folder."""
    inside = [file._replace(name=file.name.partition("/")[2]) for file in files]
    remote.folder(version.name).fetch(inside, version)


def _has_size(path: Path, byte_count: int | None) -> bool:
    return path.is_file() and path.stat().st_size == byte_count


def _mark(folder: Path, wanted: set[int]) -> None:
    """Makes a folder of markers hold one for each of these numbers, and no others."""
    for number in set(numbers(folder)) - wanted:
        (folder / str(number)).unlink(missing_ok=True)
    for number in wanted - set(numbers(folder)):
        folder.mkdir(exist_ok=True)
        (folder / str(number)).touch()
