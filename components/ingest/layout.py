"""Finds what a folder of images holds: `<folder>/<class>/*`, or `<folder>/<split>/<class>/*`."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from components.component import ComponentError
from components.ingest.fingerprint import is_folder, is_litter
from components.ingest.sources import is_prepared

_EXPECTED = "expected a sub-folder per class, or a sub-folder per split and in each of them one per class"
# Files that lie beside photos. They are not read, so that they do not change how images are spread over the splits.
NO_IMAGES = (
    ".aae",
    ".avi",
    ".csv",
    ".doc",
    ".docx",
    ".html",
    ".json",
    ".md",
    ".mov",
    ".mp4",
    ".pdf",
    ".txt",
    ".xml",
    ".zip",
)
_SPLIT_NAME = re.compile(r"(?!all$)\w[\w-]*", re.ASCII)


@dataclass(frozen=True)
class Files:
    """The files of one folder, in an order drawn by their names.

    The names are one block of bytes: those of a million files take 20 MB, where a list of paths would take 120.
    """

    folder: str  # relative
    count: int
    names: bytes  # a zero byte after each

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        """Yields relative paths."""
        start = 0
        while start < len(self.names):
            stop = self.names.index(b"\0", start)
            yield os.path.join(self.folder, os.fsdecode(self.names[start:stop]))
            start = stop + 1


@dataclass(frozen=True)
class Layout:
    """The files by split and class, as relative paths, and the files that are left out, with the reason."""

    class_names: tuple[str, ...]
    splits: dict[str, list[Files]]  # by name: the files of each class
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def file_counts(self) -> dict[str, int]:
        """Returns the number of files of each split."""
        return {split: sum(map(len, classes)) for split, classes in self.splits.items()}


def scan(folder: Path) -> Layout:
    """Finds the layout of `folder`. Raises ComponentError, which names the place, if the layout is not a known one."""
    left_out: list[tuple[str, str]] = []
    folders = _sub_folders(folder, "", left_out)
    if not folders:
        raise ComponentError(f"{folder} has no sub-folders; {_EXPECTED}")
    prepared = [str(folder / name) for name in folders if is_prepared(folder / name)]
    if prepared:
        raise ComponentError(
            f"{folder} holds prepared datasets; ingest.dataset must name one of them: {', '.join(prepared)}"
        )
    nested = [name for name in folders if _sub_folders(folder, name, [])]
    if nested and len(nested) < len(folders):
        flat = next(name for name in folders if name not in nested)
        raise ComponentError(f"In {folder}, {nested[0]!r} has sub-folders and {flat!r} has none; {_EXPECTED}")
    if not nested:
        return _layout(folder, {"train": _by_class(folder, "", folders)}, left_out)
    for name in folders:
        if not _SPLIT_NAME.fullmatch(name):
            raise ComponentError(
                f"In {folder}, {name!r} cannot be a split's name; expected ASCII letters, digits, _ and -, not 'all'"
            )
    splits = {name: _by_class(folder, name, _sub_folders(folder, name, left_out)) for name in folders}
    return _layout(folder, splits, left_out)


def _layout(folder: Path, splits: dict[str, dict[str, str]], left_out: list[tuple[str, str]]) -> Layout:
    """Makes the Layout from the folder of each class in each split."""
    class_names = sorted(set().union(*splits.values()))
    if len(class_names) < 2:
        raise ComponentError(f"{folder} has one class only, {class_names[0]!r}; {_EXPECTED}, for two classes or more")
    for split, by_class in splits.items():
        for class_name in class_names:
            if class_name not in by_class:
                raise ComponentError(
                    f"In {folder}, split {split!r} has no folder for class {class_name!r}, which other splits have; "
                    "every split needs every class"
                )
    files = {
        split: [_files(folder, by_class[class_name], left_out) for class_name in class_names]
        for split, by_class in splits.items()
    }
    return Layout(tuple(class_names), files, left_out)


def _by_class(folder: Path, parent: str, names: list[str]) -> dict[str, str]:
    """Returns the folder of each class, by the class's name: in composed characters, without spaces around it."""
    by_class: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name in names:
        class_name = unicodedata.normalize("NFC", name).strip()
        place = os.path.join(parent, name)
        if not class_name or not class_name.isprintable():
            raise ComponentError(f"In {folder}, the folder {place!a} cannot give a class its name: rename it")
        twin = seen.setdefault(class_name.casefold(), place)
        if twin != place:
            raise ComponentError(
                f"In {folder}, the folders {twin!r} and {place!r} name the same class but for case, spaces or the "
                "way in which accents are written; merge or rename them"
            )
        by_class[class_name] = place
    return by_class


def _sub_folders(folder: Path, parent: str, left_out: list[tuple[str, str]]) -> list[str]:
    """Returns the names of the sub-folders, sorted."""
    names = []
    for entry in _entries(folder, parent):
        place = os.path.join(parent, entry.name)
        if is_litter(entry.name):
            left_out.append((place, "hidden"))
        elif not is_folder(entry):
            left_out.append((place, "not in the folder of a class"))
        else:
            names.append(entry.name)
    return names


def _files(folder: Path, class_folder: str, left_out: list[tuple[str, str]]) -> Files:
    names = []
    for entry in _entries(folder, class_folder):
        place = os.path.join(class_folder, entry.name)
        if is_litter(entry.name):
            left_out.append((place, "hidden"))
        elif entry.name.lower().endswith(NO_IMAGES):
            left_out.append((place, "not an image"))
        elif is_folder(entry):
            raise ComponentError(
                f"In {folder}, the class folder {class_folder!r} has a sub-folder, {entry.name!r}; {_EXPECTED}"
            )
        else:
            names.append(os.fsencode(entry.name))
    if not names:
        raise ComponentError(f"In {folder}, the class folder {class_folder!r} has no images; add some or remove it")
    # An order as good as random, and the same on every machine.
    names.sort(key=lambda name: hashlib.sha256(os.path.join(os.fsencode(class_folder), name)).digest())
    return Files(class_folder, len(names), b"".join(name + b"\0" for name in names))


def _entries(folder: Path, place: str) -> list[os.DirEntry[str]]:
    """Returns the entries of a folder, sorted by name. Raises ComponentError for a link to a folder that it lies in."""
    try:
        with os.scandir(folder / place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except PermissionError as error:
        raise ComponentError(f"{folder / place} cannot be listed: {error.strerror}") from error
    for entry in found:
        if entry.is_symlink() and _leads_back(entry):
            link, target = os.path.join(place, entry.name), os.path.realpath(entry.path)
            raise ComponentError(f"In {folder}, {link!r} is a link to {target!r}, which it lies in; remove it")
    return found


def _leads_back(link: os.DirEntry[str]) -> bool:
    target = os.path.realpath(link.path)
    return os.path.commonpath([target, os.path.realpath(os.path.dirname(link.path))]) == target
