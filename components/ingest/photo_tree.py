"""Lists the photos below a folder, and what lies beside them, without opening a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.component import ComponentError
from components.ingest.fingerprint import is_folder, walk
from components.ingest.litter import is_image_name, litter_kind, no_image_kind

NO_CLASS = "not in the folder of a class"
LeftOut = list[tuple[str, str]]  # (relative path, reason); the reasons are few, so that they can be counted


@dataclass(frozen=True)
class Files:
    """The files of one class, in an order drawn by their names.

    The names are one block of bytes: those of a million files take 20 MB, where a list of paths would take 120.
    """

    folder: str  # relative
    count: int
    names: bytes  # relative to `folder`; a zero byte after each

    @classmethod
    def of(cls, folder: str, names: Iterable[str]) -> Files:
        """Makes Files of the names, which are relative to `folder`."""
        block, count = bytearray(), 0
        for name in names:
            block += os.fsencode(name) + b"\0"
            count += 1
        return cls(folder, count, bytes(block))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        """Yields relative paths."""
        return (os.path.join(self.folder, name) for name in self.relative_names())

    def __reversed__(self) -> Iterator[str]:
        """Yields relative paths from the last to the first."""
        stop = len(self.names) - 1
        while stop > 0:
            start = self.names.rfind(b"\0", 0, stop) + 1
            yield os.path.join(self.folder, os.fsdecode(self.names[start:stop]))
            stop = start - 1

    def relative_names(self) -> Iterator[str]:
        """Yields the names, relative to `folder`."""
        start = 0
        while start < len(self.names):
            stop = self.names.index(b"\0", start)
            yield os.fsdecode(self.names[start:stop])
            start = stop + 1


def order_key(file: str) -> bytes:
    """Returns what files are sorted by: an order as good as random, and the same on every machine."""
    return hashlib.sha256(os.fsencode(file)).digest()


def class_files(folder: Path, class_folder: str, left_out: LeftOut) -> Files:
    """Returns the photos at any depth below a class's folder. Raises ComponentError if there is none."""
    files = sorted(photos(folder, class_folder, left_out), key=order_key)
    if not files:
        raise ComponentError(f"In {folder}, the class folder {class_folder!r} has no images; add some or remove it")
    return Files.of(class_folder, (file[len(class_folder) + 1 :] for file in files))


def sub_folders(folder: Path, place: str, left_out: LeftOut) -> list[str]:
    """Returns the names of the folders in `place` that may be a split or a class, sorted."""
    names = []
    for entry in _entries(folder, place):
        reason = _litter(entry) or (None if is_folder(entry) else NO_CLASS)
        if reason:
            left_out.append((os.path.join(place, entry.name), reason))
        else:
            names.append(entry.name)
    return names


def printable(file: str) -> str:
    r"""Returns the name with \x.. for bytes that are not UTF-8."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")


def has_photos(folder: Path, place: str) -> bool:
    """Returns whether there is a photo at any depth below `place`."""
    return any(True for _ in photos(folder, place, []))


def has_loose_photos(folder: Path, place: str) -> bool:
    """Returns whether a photo lies in `place` itself."""
    return any(not is_folder(entry) and _reason(entry) is None for entry in _entries(folder, place))


def photos(
    folder: Path, place: str, left_out: LeftOut, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[str]:
    """Yields the paths of all photos at any depth below `place`, relative to `folder`.

    Raises ComponentError for a folder that cannot be listed, and for links that lead in circles.
    """
    status = os.stat(folder / place)
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise ComponentError(f"In {folder}, {place!r} is reached by links that lead in a circle; remove one of them")
    for entry in _entries(folder, place):
        inner = os.path.join(place, entry.name)
        if reason := _reason(entry):
            left_out.append((inner, reason))
        elif is_folder(entry):
            yield from photos(folder, inner, left_out, above | {here})
        else:
            yield inner


def _reason(entry: os.DirEntry[str]) -> str | None:
    """Returns why the entry is passed over; None if it is a photo or a folder to look into."""
    if reason := _litter(entry):
        return reason
    return None if is_folder(entry) else no_image_kind(entry.name)


def _litter(entry: os.DirEntry[str]) -> str | None:
    kind = litter_kind(entry.name, is_folder=is_folder(entry))
    if kind is None and entry.name.startswith(".") and not any(is_image_name(each.name) for each in walk(entry.path)):
        return "hidden"
    return kind


def _entries(folder: Path, place: str) -> list[os.DirEntry[str]]:
    """Returns the entries of a folder, sorted by name. Raises ComponentError for a link to a folder that it lies in."""
    try:
        with os.scandir(folder / place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise ComponentError(
            f"{folder / place} cannot be listed: {error.strerror}. Make it readable for this user, or move it elsewhere"
        ) from error
    for entry in found:
        if entry.is_symlink() and _leads_back(entry):
            link, target = os.path.join(place, entry.name), os.path.realpath(entry.path)
            raise ComponentError(f"In {folder}, {link!r} is a link to {target!r}, which it lies in; remove it")
    return found


def _leads_back(link: os.DirEntry[str]) -> bool:
    target = os.path.realpath(link.path)
    return os.path.commonpath([target, os.path.realpath(os.path.dirname(link.path))]) == target
