"""The digest of an artifact's payload: the same files give the same digest, wherever and whenever they were made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from components.files import digest_file

NOT_DIGESTED = "logs"  # a folder in the payload for what differs from one attempt to the next


class FolderDigest(NamedTuple):
    """What a folder holds."""

    digest: str
    file_count: int
    byte_count: int


def digest_folder(folder: Path) -> FolderDigest:
    """SHA-256 over the sorted relative paths, sizes and hashes of all files, except those below `logs/`."""
    total, count, size = hashlib.sha256(), 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        relative = path.relative_to(folder)
        if relative.parts[0] == NOT_DIGESTED:
            continue
        file_size = path.stat().st_size
        total.update(f"{relative.as_posix()}\0{file_size}\0{digest_file(path)}\n".encode())
        count, size = count + 1, size + file_size
    return FolderDigest(total.hexdigest(), count, size)
