"""Reads a manifest: a .csv file with a line for each photo.

The header names the columns: `file`, a path relative to the manifest's folder; `label`; if given, `split`; and, if
given, `group`, the burst, patient or place whose photos must not be spread over splits. Other columns are passed over.
Fields are separated by commas, semicolons or tabs, and may be quoted. The order of the lines does not matter.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.ingest.fingerprint import CountedNs, modified_ns
from components.ingest.layout import Layout, class_name
from components.ingest.photo_tree import Files, order_key
from components.ingest.split_names import ACCEPTED, split_name

_REQUIRED, _OPTIONAL = ("file", "label"), ("split", "group")
_COLUMNS = (*_REQUIRED, *_OPTIONAL)
_NAMED = 3  # lines or files listed in a message


class Row(NamedTuple):
    """One photo of the manifest."""

    file: str  # relative to the manifest's folder
    label: str
    split: str  # "train", "validation" or "test"; empty: the manifest has no such column
    group: str  # empty: none


class _Line(NamedTuple):
    number: int
    file: str
    label: str
    split: str | None = None  # None: there is no such column
    group: str = ""


def manifest_digest(manifest: Path, counted_ns: CountedNs = modified_ns) -> str:
    """Returns the SHA-256 over the rows in any order, and the size of each photo and the time that counts for it."""
    digest = hashlib.sha256()
    for row in read_rows(manifest):
        try:
            path = os.path.join(manifest.parent, row.file)
            status = os.stat(path)
            seen = f"{status.st_size}\0{counted_ns(row.file, path, status)}"
        except OSError:
            seen = "missing"
        digest.update("\0".join([*row, seen, "\n"]).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def manifest_layout(manifest: Path) -> Layout:
    """Returns the photos that the manifest names, by split and class. Raises ComponentError if any is not there."""
    rows = read_rows(manifest)
    missing = [row.file for row in rows if not os.path.isfile(manifest.parent / row.file)]
    if missing:
        raise ComponentError(
            f"{manifest} names photos that are not there, {len(missing)} of {len(rows)}: {_some(missing)}. The "
            f"column file holds paths relative to {manifest.parent}"
        )
    class_names = tuple(sorted({row.label for row in rows}))
    if len(class_names) < 2:
        seen = f"one class only, {class_names[0]!r}" if class_names else "no lines below its header"
        raise ComponentError(f"{manifest} has {seen}; expected photos of two classes or more")
    labels = {name: label for label, name in enumerate(class_names)}
    splits_seen = sorted({row.split or "train" for row in rows})
    files: dict[str, list[list[str]]] = {split: [[] for _ in class_names] for split in splits_seen}
    for row in rows:
        files[row.split or "train"][labels[row.label]].append(row.file)
    _require_train(manifest, files, class_names)
    splits = {
        split: [Files.of("", sorted(names, key=order_key)) for names in of_split] for split, of_split in files.items()
    }
    return Layout(class_names, splits, groups={row.file: row.group for row in rows if row.group})


def _require_train(manifest: Path, files: dict[str, list[list[str]]], class_names: tuple[str, ...]) -> None:
    """Raises ComponentError if a class has no photo to train on."""
    train = files.get("train", [[] for _ in class_names])
    without = [name for name, names in zip(class_names, train, strict=True) if not names]
    if without:
        raise ComponentError(
            f"{manifest}: split train has no photo of {len(without)} of {len(class_names)} classes: {_some(without)}"
        )


def read_rows(manifest: Path) -> list[Row]:
    """Returns the rows, sorted by file, each once. Raises ComponentError, which names the lines that are wrong."""
    found: set[Row] = set()
    wrong: dict[str, list[str]] = {}
    for line in _lines(manifest):
        if fault := _fault(line):
            what, field = fault
            wrong.setdefault(what, []).append(f"line {line.number}" + (f" ({field!r})" if field else ""))
        else:
            found.add(_row(manifest, line))
    if wrong:
        faults = (f"{len(lines)} with {what}: {_some(lines)}" for what, lines in wrong.items())
        raise ComponentError(f"{manifest} has lines that cannot be used; {'; '.join(faults)}")
    rows = sorted(found)
    _require_one(manifest, rows, lambda row: row.file, lambda row: row[1:], "files with several labels or splits")
    _require_one(
        manifest, rows, lambda row: row.label.casefold(), lambda row: row.label, "labels that differ in case only"
    )
    grouped = [row for row in rows if row.group]
    _require_one(manifest, grouped, lambda row: row.group, lambda row: row.split, "groups in more than one split")
    return rows


def _fault(line: _Line) -> tuple[str, str] | None:
    """Returns what is wrong with the line, and its field that is; None if nothing is."""
    if not line.file:
        return "no file", ""
    if os.path.isabs(line.file):
        return "a path that is not relative", line.file
    if "\0" in line.file:
        return "a path that holds a zero byte", line.file
    if not line.label.strip():
        return "no label", ""
    if class_name(line.label) is None:
        return "a label that is not printable", line.label
    if line.split is not None and split_name(line.split) is None:
        return f"a split other than {ACCEPTED} (in any case)", line.split or "empty"
    return None


def _row(manifest: Path, line: _Line) -> Row:
    file = line.file
    if "\\" in file and not os.path.exists(manifest.parent / file):  # written on Windows
        file = file.replace("\\", "/")
    label, split, group = class_name(line.label) or "", split_name(line.split or "") or "", line.group.strip()
    return Row(os.path.normpath(file), sys.intern(label), split, sys.intern(group))


def _lines(manifest: Path) -> Iterator[_Line]:
    """Yields the lines below the header that are not blank, with the fields of the columns that are known."""
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(manifest, header)
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) != len(header):
                    raise ComponentError(
                        f"{manifest}, line {reader.line_num}: {len(fields)} fields, where the header has "
                        f"{len(header)}. A field that holds {separator!r} must be in double quotes"
                    )
                known = {name: field for name, field in zip(header, fields, strict=True) if name in _COLUMNS}
                yield _Line(reader.line_num, **known)
    except UnicodeDecodeError as error:
        raise ComponentError(f"{manifest} is not UTF-8 ({error.reason}); save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise ComponentError(f"{manifest}, line {reader.line_num}: {error}") from error
    except OSError as error:
        raise ComponentError(f"{manifest} cannot be read: {error.strerror}") from error


def _separator(header: str) -> str:
    return next((separator for separator in ",;\t" if separator in header), ",")


def _check_header(manifest: Path, header: list[str]) -> None:
    expected = "expected a header with the columns file and label, and perhaps split and group"
    seen = ", ".join(map(repr, header)) or "none"
    if not set(_REQUIRED) <= set(header):
        raise ComponentError(f"{manifest} has the columns {seen}; {expected}")
    twice = [name for name in _COLUMNS if header.count(name) > 1]
    if twice:
        raise ComponentError(f"{manifest} has the column {twice[0]!r} more than once; {expected}")
    for name in set(header).difference(_COLUMNS):
        meant = difflib.get_close_matches(name, [column for column in _OPTIONAL if column not in header], 1, 0.75)
        if meant:
            raise ComponentError(f"{manifest} has a column {name!r}: is {meant[0]!r} meant? Rename or remove it")


def _require_one(
    manifest: Path, rows: list[Row], key: Callable[[Row], str], value: Callable[[Row], object], what: str
) -> None:
    """Raises ComponentError if rows of one key differ in the value."""
    values: dict[str, set[object]] = {}
    for row in rows:
        values.setdefault(key(row), set()).add(value(row))
    several = [f"{name!r} ({_told(found)})" for name, found in values.items() if len(found) > 1]
    if several:
        raise ComponentError(
            f"{manifest} has {what}, {len(several)} in all: {_some(several)}. Keep the lines that are right"
        )


def _told(values: set[object]) -> str:
    told = (" ".join(filter(None, value)) if isinstance(value, tuple) else str(value) for value in values)
    return ", ".join(sorted(told))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
