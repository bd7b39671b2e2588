"""Identifies data: cheaply, by what the file system says about it, or reliably, by its bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from components.files import digest_file
from components.fork_map import map_forked
from components.ingest.litter import are_plainly_images, is_plainly_an_image, litter_kind, no_image_kind
from components.ingest.sources import is_prepared

_AT_ONCE = 1024  # files whose states are in memory
_FOLDERS_TO_FORK_FOR = 8
_NO_FILES = b"0\0"
_LARGEST = (1 << 63) - 1
CountedNs = Callable[[str, str, os.stat_result], int]  # of a relative name, a path, and the file's status


def modified_ns(name: str, path: str, status: os.stat_result) -> int:
    """Returns the file's own time of modification."""
    return status.st_mtime_ns


def listing_digest(folder: Path, counted_ns: CountedNs | None = None) -> str:
    """Returns the SHA-256 over the relative path, size and time of every file below `folder`.

    `counted_ns` returns the time that counts for a file, if that is not its own. Litter does not count, nor, beside
    photos, what is no image. Each file is looked at, as the time of a folder does not tell what was written to in
    place. Only the entries of one folder and of its ancestors are in memory, so a million files are fine.
    """
    tree = _Tree(is_prepared(folder), counted_ns, may_fork=counted_ns is None)
    return (_digest(tree, os.fspath(folder), "") or hashlib.sha256().digest()).hex()


class _Tree(NamedTuple):
    all_count: bool  # also what is no image
    counted_ns: CountedNs | None
    may_fork: bool  # not if there are notes to be taken of files, which would be lost


def _digest(tree: _Tree, folder: str, place: str, above: frozenset[tuple[int, int]] = frozenset()) -> bytes:
    """Returns the SHA-256 over the files of a folder, and the digests of the folders in it; nothing of no files.

    `place` is the relative path of the folder, which is open while its files are looked at: then the system does not
    look its path up for each of them, a quarter of the time.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except (PermissionError, FileNotFoundError):  # the run reports the first; of the second, it was removed just now
        return b""
    try:
        status = os.fstat(descriptor)
        here = (status.st_dev, status.st_ino)
        if here in above:
            return b""
        if tree.counted_ns is None and (photos := _photos(descriptor)):
            return hashlib.sha256(photos).digest()
        entries = _by_name(descriptor)
        files = _files([each for each in entries if _counts(each, tree.all_count)], folder, place, tree.counted_ns)
        inner = [each.name for each in entries if is_folder(each) and _is_inside(each)]
    finally:
        os.close(descriptor)
    digests = _digests(tree, folder, place, inner, above | {here})
    found = [b"%s\0%s" % (os.fsencode(name), digest) for name, digest in zip(inner, digests, strict=True) if digest]
    return hashlib.sha256(files + b"".join(found)).digest() if found or files != _NO_FILES else b""


def _digests(
    tree: _Tree, folder: str, place: str, inner: list[str], above: frozenset[tuple[int, int]]
) -> Iterable[bytes]:
    """Returns the digests of the folders in a folder; of more than a few, from several processes."""
    forks = tree.may_fork and len(inner) >= _FOLDERS_TO_FORK_FOR
    below = tree._replace(may_fork=False) if forks else tree

    def digest(name: str) -> bytes:
        return _digest(below, f"{folder}/{name}", f"{place}/{name}", above)

    return map_forked(digest, inner) if forks else map(digest, inner)


def _photos(descriptor: int) -> bytes | None:
    """Returns what `_packed` does of an open folder that has nothing but files with the plain names of photos."""
    names = sorted(os.listdir(descriptor))
    if not are_plainly_images(names):
        return None
    sizes, times_ns = array("q"), array("q")
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        try:
            found = [os.stat(name, dir_fd=descriptor, follow_symlinks=False) for name in some]
        except FileNotFoundError:  # it was removed just now
            return None
        if not all(map(stat.S_ISREG, {each.st_mode for each in found})):
            return None
        sizes += _int64([each.st_size for each in found])
        times_ns += _int64([each.st_mtime_ns for each in found])
    return _packed(names, sizes, times_ns)


def _files(entries: list[os.DirEntry[str]], folder: str, place: str, counted_ns: CountedNs | None) -> bytes:
    """Returns what `_packed` does of these files of a folder that is still open."""
    names, sizes, times_ns = [], [], []
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):  # it was removed just now
            status, path = _status(entry), f"{folder}/{entry.name}"
            time_ns = counted_ns(f"{place}/{entry.name}"[1:], path, status) if counted_ns else status.st_mtime_ns
            names.append(entry.name)
            sizes.append(status.st_size)
            times_ns.append(time_ns)
    return _packed(names, _int64(sizes), _int64(times_ns))


def _packed(names: list[str], sizes: array[int], times_ns: array[int]) -> bytes:
    """Returns the number of files, their names with a zero byte after each, their sizes and their times."""
    return b"%d\0%s%s%s" % (len(names), os.fsencode("\0".join([*names, ""])), sizes, times_ns)


def _int64(numbers: list[int]) -> array[int]:
    try:
        return array("q", numbers)
    except OverflowError:  # a time after the year 2262, which ext4 can tell
        return array("q", [number & _LARGEST for number in numbers])


def _counts(entry: os.DirEntry[str], all_count: bool) -> bool:
    """Returns whether an entry is a file that is part of the source."""
    if is_plainly_an_image(entry.name) and entry.is_file(follow_symlinks=False):
        return True
    return _is_inside(entry) is False and (all_count or not no_image_kind(entry.name))


def content_digest(
    directory: Path,
    report: Callable[[float, float, str], None] = lambda *_: None,
    known: Mapping[Path, str] | None = None,
) -> str:
    """Returns the SHA-256 over the names, sizes and SHA-256 of the files of a prepared dataset.

    `report` is called with the megabytes that were read so far, and with the total of those that must be. Files whose
    SHA-256 is `known`, because their writer has hashed them, are not read.
    """
    files = list(walk(directory))
    sha256 = {entry.path: (known or {}).get(Path(entry.path)) for entry in files}
    total = sum(entry.stat().st_size for entry in files if not sha256[entry.path])
    digest, done = hashlib.sha256(), 0

    def count(byte_count: int) -> None:
        nonlocal done
        done += byte_count
        report(done / 1e6, total / 1e6, "MB checked")

    for entry in files:
        of_file = sha256[entry.path] or digest_file(Path(entry.path), count)
        digest.update(b"%s\0%d\0%s\n" % (_relative(entry, directory), entry.stat().st_size, of_file.encode()))
    return digest.hexdigest()


def walk(folder: Path | str, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[os.DirEntry[str]]:
    """Yields every entry below `folder` that is no directory, sorted by name, without litter.

    Links are followed, but not into a loop.
    """
    try:
        status = os.stat(folder)
        entries = _by_name(folder)
    except PermissionError:  # the run reports it
        return
    here = (status.st_dev, status.st_ino)
    for entry in entries if here not in above else ():
        if inside := _is_inside(entry):
            yield from walk(entry.path, above | {here})
        elif inside is False:
            yield entry


def _by_name(folder: Path | str | int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=attrgetter("name"))


def _is_inside(entry: os.DirEntry[str]) -> bool | None:
    """Returns whether the entry is a folder, into which to look; None for litter."""
    inside = is_folder(entry)
    return None if litter_kind(entry.name, is_folder=inside) else inside


def _relative(entry: os.DirEntry[str], folder: Path) -> bytes:
    """Returns the same as `os.path.relpath`, in a tenth of the time."""
    return os.fsencode(entry.path[len(os.fspath(folder)) :])


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Returns whether the entry is a folder, or links to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """Returns the status of what a link points to, or of the link itself if its target is not there."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)
