"""Applies people's corrections to the photos of a folder or a manifest: other labels, photos left out, groups."""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.corrections_file import ADD, FILE_NAME, OF_FILES, OF_PAIRS, Correction, read_corrections
from components.corrections_place import Place, read_bytes
from components.files import digest_file
from components.home import expand_home
from components.ingest.added_photos import added_digest, added_files, outside_files, with_added
from components.ingest.fingerprint import CountedNs, modified_ns
from components.ingest.layout import Layout, class_name
from components.ingest.photo_tree import Files, order_key, printable
from components.ingest.split_names import ADDED
from components.object_storage import is_remote

logger = logging.getLogger(__name__)
LEFT_OUT = "left out by a correction"
PASSED_OVER = "passed_over"
_NAMED = 3  # lines or names listed in a message


class _Place(NamedTuple):
    split: str
    label: int
    file: str  # relative; with the bytes that the disk has


class _Labels:
    """The labels of the classes that corrections name."""

    def __init__(self, class_names: tuple[str, ...], corrections: Place) -> None:
        self.corrections = corrections
        self._labels = {name: label for label, name in enumerate(class_names)}

    def of(self, correction: Correction) -> int:
        """Returns the label that a correction gives. Raises ComponentError if it is no class."""
        name = class_name(correction.label)
        if name in self._labels:
            return self._labels[name]
        near = difflib.get_close_matches(correction.label, self._labels, _NAMED, cutoff=0.5)
        hint = (
            f"is {' or '.join(map(repr, near))} meant?" if near else f"the classes are {_some(map(repr, self._labels))}"
        )
        raise ComponentError(
            f"{self.corrections}, line {correction.line}: {correction.label!r}, the label of {correction.file!r}, is "
            f"no class; {hint} A new class begins with photos of its own, not with a correction"
        )


def find_corrections(source: Path, configured: str | None, url: str = "") -> Place | None:
    """Returns where the corrections of a folder or manifest are, or would be: beside it, or where the config says.

    `url` is the folder in object storage of which `source` is a copy; empty: it is none. None is nowhere: the manifest
    has the very name. Raises ComponentError if the config names a folder, or a file in a folder that is not there.
    """
    if configured is None:
        beside = (source.parent if source.is_file() else source) / FILE_NAME
        return f"{url.rstrip('/')}/{FILE_NAME}" if url else None if beside == source else beside
    if is_remote(configured):
        return configured
    path = expand_home(configured, "ingest.corrections")
    if path.is_dir() or not path.parent.is_dir():
        seen = "a folder" if path.is_dir() else f"in the folder {path.parent}, which is not there"
        raise ComponentError(f"ingest.corrections={configured} is {seen}; expected a file, such as ./{FILE_NAME}")
    return path


def with_corrections(
    digest: str, corrections: Place | None, folder: Path | None = None, counted_ns: CountedNs = modified_ns
) -> str:
    """Returns the fingerprint of a source with its corrections; without any it is `digest`, that of the source.

    Photos that corrections add count with their size and time, if the `folder` is given that their names begin in.
    """
    data = read_bytes(corrections) if corrections else b""
    if corrections is None or not data:
        return digest
    decided = hashlib.sha256(data).digest()
    if folder is not None and f",{ADD},".encode() in data:
        decided += added_digest(read_corrections(corrections).decisions, folder, counted_ns)
    return hashlib.sha256(digest.encode() + decided).hexdigest()


def apply_corrections(layout: Layout, source: Path, corrections: Place | None) -> Layout:
    """Returns the layout with the corrections applied, and their numbers in `Layout.corrections`.

    The last decision on a photo counts, and the last one on two photos. A line whose photo is gone, or has other bytes
    than those that were judged, is passed over; only the photos that are named are read.

    Raises ComponentError if a label is no class, or if a class would be left without photos.
    """
    if corrections is None:
        return layout
    folder = source.parent if source.is_file() else source
    if isinstance(corrections, Path):
        layout = _without_entry(layout, os.path.relpath(corrections, folder))
    found = read_corrections(corrections)
    places = _places(layout, {name for each in found.decisions for name in each.subject})
    outside = outside_files(found.decisions, folder, places)
    current = _current(found.decisions, folder, {name: place.file for name, place in places.items()} | outside)
    passed_over = len(found.decisions) - len(current) + len(found.damaged_lines)
    read = {each.line for each in current}
    _warn(corrections, found.damaged_lines, [each for each in found.decisions if each.line not in read])
    labels = _Labels(layout.class_names, corrections)
    added = {outside[name]: labels.of(line) for name, line in added_files(current, outside).items()}
    layout = with_added(layout, added)
    places |= {name: _Place(ADDED, added[file], file) for name, file in outside.items() if file in added}
    last = {each.subject: each for each in current if places.keys() >= {*each.subject}}.values()
    applied = Counter(each.decision for each in last if not each.changes_nothing)
    layout = _moved(layout, labels, places, [each for each in last if each.decision in OF_FILES])
    counts = {**applied, PASSED_OVER: passed_over}
    return replace(
        layout,
        groups=_groups(layout.groups, ((places[each.file], places[each.other]) for each in last if _is_same(each))),
        corrections={name: counts[name] for name in (*OF_FILES, *OF_PAIRS, PASSED_OVER) if counts.get(name)},
    )


def _is_same(correction: Correction) -> bool:
    return correction.decision == "same" and correction.file != correction.other


def _without_entry(layout: Layout, corrections: str) -> Layout:
    """Returns the layout in which the file of the corrections is not among what was left out."""
    left_out = [(file, reason) for file, reason in layout.left_out if file != corrections]
    return replace(layout, left_out=left_out) if len(left_out) < len(layout.left_out) else layout


def _places(layout: Layout, names: set[str]) -> dict[str, _Place]:
    """Returns where the named photos are, by their printable names."""
    if not names:
        return {}
    return {
        name: _Place(split, label, file)
        for split, classes in layout.splits.items()
        for label, files in enumerate(classes)
        for file in files
        if (name := printable(file)) in names
    }


def _current(decisions: Iterable[Correction], folder: Path, files: Mapping[str, str]) -> list[Correction]:
    """Returns the decisions whose photos are among `files`, by name, with the bytes that were judged."""
    there = [each for each in decisions if all(name in files for name in each.subject)]
    judged = sorted({each.file for each in there})
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(judged, pool.map(_digest, (folder / files[name] for name in judged)), strict=True))
    return [each for each in there if digests[each.file] == each.sha256]


def _digest(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError:
        return ""


def _warn(corrections: Place, damaged: tuple[int, ...], outdated: list[Correction]) -> None:
    if damaged:
        logger.warning("%s: %d lines cannot be read: %s", corrections, len(damaged), _some(map(str, damaged)))
    if outdated:
        lines = _some(f"{each.line} ({each.file})" for each in outdated)
        logger.warning(
            "%s: %d lines are passed over, as their photos are gone or have changed since: line %s",
            corrections,
            len(outdated),
            lines,
        )


def _moved(layout: Layout, labels: _Labels, places: dict[str, _Place], decisions: list[Correction]) -> Layout:
    """Returns the layout with photos under other labels, and without those that are left out."""
    gone: dict[tuple[str, int], set[str]] = {}  # by split and label: the files that leave it
    added: dict[tuple[str, int], list[str]] = {}
    left_out = []
    for each in decisions:
        split, label, file = places[each.file]
        if each.decision == "leave_out":
            left_out.append((file, LEFT_OUT))
        elif each.decision == "keep" or labels.of(each) == label:
            continue
        else:
            added.setdefault((split, labels.of(each)), []).append(file)
        gone.setdefault((split, label), set()).add(file)
    splits = {
        split: [
            _changed(files, gone.get((split, label), set()), added.get((split, label), []))
            for label, files in enumerate(classes)
        ]
        for split, classes in layout.splits.items()
    }
    _require_classes(layout, splits, labels.corrections)
    return replace(layout, splits=splits, left_out=layout.left_out + sorted(left_out))


def _changed(files: Files, gone: set[str], added: list[str]) -> Files:
    """Returns the files without those that are gone, and with others, in the order that they would have had."""
    if added:
        return Files.of("", sorted([*(file for file in files if file not in gone), *added], key=order_key))
    if gone:
        kept = (name for name in files.relative_names() if os.path.join(files.folder, name) not in gone)
        return Files.of(files.folder, kept)
    return files


def _require_classes(layout: Layout, splits: dict[str, list[Files]], corrections: Place) -> None:
    """Raises ComponentError if a class has lost its last photo in a split."""
    for split, classes in splits.items():
        for name, files, before in zip(layout.class_names, classes, layout.splits[split], strict=True):
            if before and not files and split != ADDED:
                raise ComponentError(
                    f"The decisions in {corrections} leave class {name!r} without photos in split {split!r}: all "
                    f"{len(before)} are left out or have another label. Add photos of it, or remove the class from the "
                    "source"
                )


def _groups(groups: dict[str, str], pairs: Iterable[tuple[_Place, _Place]]) -> dict[str, str]:
    """Returns the group of each file: those of a pair are in one, with all others of their groups."""
    joined = dict(groups)
    leader: dict[str, str] = {}

    def find(group: str) -> str:
        while group in leader:
            group = leader[group]
        return group

    for one, other in pairs:
        first, second = (find(joined.setdefault(each.file, f"\0{each.file}")) for each in (one, other))
        if first != second:
            leader[second] = first
    return {file: find(group) for file, group in joined.items()} if leader else groups


def _some(words: Iterable[str]) -> str:
    listed = list(words)
    return ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")
