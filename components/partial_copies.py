"""Keeps copies that begin with the small files of a folder in object storage. A large one is fetched to be read.

A file appears whole and then stays, for all processes of the machine: in the part of a copy, see `local_copies`. A note
beside the large files tells where they come from, and how they were listed when the part was begun.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from components.files import lock, write_whole
from components.local_copies import DataCopy, fetch_files, missing_files, share_files
from components.object_storage import RemoteFile
from components.thread_map import map_in_order

_NOTE = ".listed.json"
_THREADS = 8


def begin_part(copy: DataCopy, small: Iterable[RemoteFile], large: Sequence[RemoteFile]) -> Path:
    """Fetches the small files of a copy that are not here, notes the large ones, and returns the folder.

    Raises ComponentError if one has changed since it was listed, and OSError if the storage cannot be reached.
    """
    fetch_files(copy.url, missing_files(copy.part, small), copy.part)
    for folder in {PurePosixPath(file.name).parent for file in large}:
        inside = [file for file in large if PurePosixPath(file.name).parent == folder]
        (copy.part / folder).mkdir(parents=True, exist_ok=True)
        write_whole(copy.part / folder / _NOTE, json.dumps({"copy": copy, "files": inside}))
    return copy.part


def bring_files(folder: Path, names: Iterable[str]) -> None:
    """Fetches those of a folder's large files that are not here yet; does nothing unless it is in a part of a copy.

    What another copy has is not fetched again, and of several processes that ask at once, one fetches. Raises
    ComponentError if a file has changed since it was listed, and OSError if the storage cannot be reached.
    """
    try:
        note = json.loads((folder / _NOTE).read_bytes())
    except FileNotFoundError:
        return
    copy, files = DataCopy(*note["copy"]), {Path(name).name: RemoteFile(name, *state) for name, *state in note["files"]}

    def bring(name: str) -> None:
        if name not in files:
            raise OSError(f"{copy.url} has no {name}, which is one of the files of the data.")
        with (folder / f".{name}.lock").open("a") as own:
            lock(own, fcntl.LOCK_EX)
            share_files(copy.url, [files[name]], copy.part)
            fetch_files(copy.url, missing_files(copy.part, [files[name]]), copy.part)

    for _ in map_in_order(bring, names, _THREADS):
        pass
