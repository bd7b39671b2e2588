"""The digest of an artifact's payload: the same files give the same digest, wherever and whenever they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from components.artifacts import LOGS
from components.files import digest_file


class FolderDigest(NamedTuple):
    """The digest of a folder, and the number and total size of its files."""

    digest: str
    file_count: int
    byte_count: int


def digest_folder(folder: Path, known: Mapping[Path, str] | None = None) -> FolderDigest:
    """Returns the SHA-256 over the sorted relative paths, sizes and hashes of all files except those in `logs/`.

    Files whose SHA-256 is `known`, because their writer has hashed them, are not read.
    """
    total, count, size = hashlib.sha256(), 0, 0
    for path in sorted(payload_files(folder)):
        file_size, sha256 = path.stat().st_size, (known or {}).get(path) or digest_file(path)
        total.update(f"{path.relative_to(folder).as_posix()}\0{file_size}\0{sha256}\n".encode())
        count, size = count + 1, size + file_size
    return FolderDigest(total.hexdigest(), count, size)


def payload_files(folder: Path) -> Iterator[Path]:
    """Yields all files below the folder except those in `logs/`."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).parts[0] != LOGS:
            yield path
