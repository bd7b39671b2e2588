"""Takes photos up that lie outside of the source, and that people have given a label: as training images, never others.

They are stored as a split of their own, so that they change neither the order of the source's photos nor which of them
are drawn for validation and test.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from components.corrections_file import ADD, Correction, find_file
from components.ingest.fingerprint import CountedNs
from components.ingest.layout import Layout
from components.ingest.photo_tree import Files, order_key
from components.ingest.split_names import ADDED

_ELSEWHERE = f"..{os.sep}"


def outside_files(decisions: Iterable[Correction], folder: Path, inside: Iterable[str]) -> dict[str, str]:
    """Returns the photos outside of the source that decisions name, and that are there: the relative path by the name.

    `inside` are the names of those in the source.
    """
    added = {each.file for each in decisions if each.decision == ADD or each.file.startswith(_ELSEWHERE)}
    paths = {name: find_file(folder, name) for name in sorted(added.difference(inside))}
    return {name: os.path.relpath(path, folder) for name, path in paths.items() if path.is_file()}


def added_files(decisions: Sequence[Correction], outside: Mapping[str, str]) -> dict[str, Correction]:
    """Returns for each photo that becomes a training image the line that adds it, by its name.

    `decisions` are in their order, and about photos that have the bytes that were judged.
    """
    last = {each.file: each for each in decisions if not each.other}
    lines = {each.file: each for each in decisions if each.decision == ADD and each.file in outside}
    return {name: line for name, line in lines.items() if last[name].decision != "leave_out"}


def with_added(layout: Layout, files: Mapping[str, int]) -> Layout:
    """Returns the layout with further files, given with the label of each."""
    if not files:
        return layout
    of_class = [
        Files.of("", sorted((file for file, its in files.items() if its == label), key=order_key))
        for label in range(len(layout.class_names))
    ]
    left_out = [(file, reason) for file, reason in layout.left_out if file not in files]
    return replace(layout, splits={**layout.splits, ADDED: of_class}, left_out=left_out)


def added_digest(decisions: Iterable[Correction], folder: Path, counted_ns: CountedNs) -> bytes:
    """Returns a digest of the size and time of all photos that lines add."""
    digest = hashlib.sha256()
    for name in sorted({each.file for each in decisions if each.decision == ADD}):
        path = os.fspath(find_file(folder, name))
        try:
            status = os.stat(path)
            seen = f"{status.st_size}\0{counted_ns(name, path, status)}"
        except OSError:
            seen = "missing"
        digest.update(f"{name}\0{seen}\n".encode())
    return digest.digest()
