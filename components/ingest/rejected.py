"""Counts the files that cannot be read, over all spans, and refuses too many as soon as that is certain.

Each span notes its own in a file, which a retry replaces, so that none is counted twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.files import write_whole
from components.ingest.photo_tree import printable

_SUFFIX = ".rejected"
_NAMED = 3  # files listed in the error message


class Rejected(NamedTuple):
    """A file that cannot be read."""

    file: str  # relative to the source's folder
    reason: str


def note(index: Path, rejected: list[Rejected]) -> Path:
    """Notes the rejected files of the span with this index, in place of those noted before; returns the note's file."""
    path = index.with_suffix(_SUFFIX)
    if rejected:
        write_whole(path, json.dumps(rejected))
    else:
        path.unlink(missing_ok=True)
    return path


def noted(folder: Path) -> list[Rejected]:
    """Returns all files that spans have noted, in the order of the spans."""
    lists = (json.loads(path.read_bytes()) for path in sorted(folder.glob(f"*{_SUFFIX}")))
    return [Rejected(*each) for rejected in lists for each in rejected]


def forget(folder: Path) -> None:
    """Makes spans that have noted files be read again: the files may be readable now."""
    for path in folder.glob(f"*{_SUFFIX}"):
        path.with_suffix(".npz").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def require_few(rejected: list[Rejected], total: int, max_fraction: float, source: Path) -> None:
    """Raises ComponentError if more than `max_fraction` of all `total` files of the source are rejected."""
    if len(rejected) > max_fraction * total:
        some = ", ".join(f"{printable(each.file)} ({each.reason})" for each in rejected[:_NAMED])
        raise ComponentError(
            f"Of {total} files in {source}, {len(rejected)} and perhaps more cannot be read; "
            f"ingest.max_rejected_fraction allows {max_fraction:.1%}. For example: {some}"
        )
