"""Finds files with the same bytes: by size, then by 16 kilobytes of those that share it, then by all their bytes.

Photos rarely have the same size, so that few are read; small files are read whole. A file takes 48 bytes of memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_SAMPLE_BYTES = 16 << 10
_BLOCK_BYTES = 1 << 20
_AT_ONCE = 64  # files in a task of a thread
_TASKS = 16
_DIGEST_BYTES = 16

Item = TypeVar("Item")
Result = TypeVar("Result")
Report = Callable[[float, float, str], None]


def find_copies(
    folder: Path, files: Callable[[], Iterable[str]], report: Report = lambda *_: None
) -> list[tuple[int, ...]]:
    """Returns groups of files with the same bytes, two or more in each, as indices into `files()`.

    Files that are empty or cannot be read have no copies.

    Args:
        folder: what the paths are relative to.
        files: returns the paths, the same at every call.
        report: called with the number of files that were compared, and with their total.
    """
    same = _Same(folder, files)
    same.refine(_size)
    total = len(same.indices)
    same.refine(_sample, lambda done: report(done, total, "files compared"))
    same.refine(_content)
    return same.groups()


class _Same:
    """The files that may still be copies of each other, each with the number of its group."""

    def __init__(self, folder: Path, files: Callable[[], Iterable[str]]) -> None:
        self._folder, self._files = folder, files
        count = sum(1 for _ in files())
        self.indices: NDArray[np.int64] = np.arange(count)
        self._group: NDArray[np.int64] = np.zeros(count, np.int64)

    def refine(self, key: Callable[[Path], bytes | None], done: Callable[[int], None] = lambda count: None) -> None:
        """Divides the groups by the files' keys, and forgets the files that are alone, or whose key is None."""
        found = bytearray()
        known = np.zeros(len(self.indices), bool)
        for keys_of_some in in_threads(key, self._paths()):
            for one in keys_of_some:
                known[len(found) // _DIGEST_BYTES] = one is not None
                found += one or bytes(_DIGEST_BYTES)
            done(len(found) // _DIGEST_BYTES)
        keys = np.frombuffer(bytes(found), ">u8").reshape(-1, 2)[known]
        self.indices, self._group = self.indices[known], self._group[known]
        if len(self.indices):
            self._divide(keys)

    def _divide(self, keys: NDArray[np.uint64]) -> None:
        order = np.lexsort((keys[:, 1], keys[:, 0], self._group))
        group, keys = self._group[order], keys[order]
        is_new = np.r_[True, (group[1:] != group[:-1]) | (keys[1:] != keys[:-1]).any(axis=1)]
        numbers = np.empty_like(group)
        numbers[order] = np.cumsum(is_new)
        shared = np.bincount(numbers)[numbers] > 1
        self.indices, self._group = self.indices[shared], numbers[shared]

    def _paths(self) -> Iterator[Path]:
        wanted = iter(self.indices.tolist())
        next_one = next(wanted, -1)
        for index, file in enumerate(self._files()):
            if index == next_one:
                yield self._folder / file
                next_one = next(wanted, -1)

    def groups(self) -> list[tuple[int, ...]]:
        """Returns the indices of each group, in rising order."""
        by_number: dict[int, list[int]] = {}
        for index, number in zip(self.indices.tolist(), self._group.tolist(), strict=True):
            by_number.setdefault(number, []).append(index)
        return sorted(map(tuple, by_number.values()))


def in_threads(read: Callable[[Path], Result], paths: Iterable[Path]) -> Iterator[list[Result]]:
    """Yields what `read` returns for the files, in their order, for about a thousand of them at a time."""
    with ThreadPoolExecutor() as pool:
        for batch in _batches(_batches(iter(paths), _AT_ONCE), _TASKS):
            yield list(chain.from_iterable(pool.map(lambda some: list(map(read, some)), batch)))


def _batches(items: Iterator[Item], count: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, count)):
        yield batch


def _size(path: Path) -> bytes | None:
    try:
        size = os.stat(path).st_size
    except OSError:
        return None
    return size.to_bytes(_DIGEST_BYTES, "big") if size else None


def _sample(path: Path) -> bytes | None:
    """Returns the digest of bytes in the middle: files of one camera begin and end alike."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, (size - _SAMPLE_BYTES) // 2))
            return _digest([file.read(_SAMPLE_BYTES)])
    except OSError:
        return None


def _content(path: Path) -> bytes | None:
    try:
        if path.stat().st_size <= _SAMPLE_BYTES:  # the sample was all of it
            return bytes(_DIGEST_BYTES)
        with path.open("rb") as file:
            return _digest(iter(lambda: file.read(_BLOCK_BYTES), b""))
    except OSError:
        return None


def _digest(blocks: Iterable[bytes]) -> bytes:
    hasher = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for block in blocks:
        hasher.update(block)
    return hasher.digest()
