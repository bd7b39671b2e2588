"""Knows where the record of each photo lies, and reads it. A photo takes 24 bytes of memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

_MOST_OPEN = 128  # files of records


class RecordPlaces:
    """The places of records, which are numbered from 0 in the order in which they are added."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._number_of: dict[Path, int] = {}
        self._places = array("q")  # of each record: the number of its file, the first byte, and the bytes
        self._opened: dict[Path, IO[bytes]] = {}

    def __len__(self) -> int:
        return len(self._places) // 3

    def add(self, file: Path, start: int, length: int) -> None:
        """Adds a record of `length` bytes that lies in `file` from the byte `start` on."""
        self._places.extend((self._file_number(file), start, length))

    def move(self, record: int, file: Path, start: int) -> None:
        """Notes that a record lies elsewhere now."""
        self._places[3 * record], self._places[3 * record + 1] = self._file_number(file), start

    def place_of(self, record: int) -> tuple[Path, int, int]:
        """Returns the file of a record, its first byte there, and its number of bytes."""
        file, start, length = self._places[3 * record : 3 * record + 3]
        return self._files[file], start, length

    def read(self, records: Iterable[int], look_again: Callable[[int], None]) -> Iterator[bytes]:
        """Yields records.

        If the file of one is gone, `look_again` is called with the record, and may move it. Raises OSError if the file
        is still gone then, or is cut short.
        """
        try:
            for record in records:
                try:
                    yield self._read(record)
                except FileNotFoundError:
                    look_again(record)
                    yield self._read(record)
        finally:
            for file in list(self._opened):
                self.close(file)

    def close(self, file: Path) -> None:
        """Closes a file if it is open, so that the disk has its bytes again once it is removed."""
        if file in self._opened:
            self._opened.pop(file).close()

    def _read(self, record: int) -> bytes:
        path, start, length = self.place_of(record)
        file = self._open(path)
        file.seek(start)
        found = file.read(length)
        if len(found) < length:
            raise OSError(f"{path} is cut short. Run again.")
        return found

    def _open(self, path: Path) -> IO[bytes]:
        """Returns the open file, the last of those that are kept open; the first is closed if they are too many."""
        file = self._opened.pop(path, None) or path.open("rb")
        self._opened[path] = file
        if len(self._opened) > _MOST_OPEN:
            self.close(next(iter(self._opened)))
        return file

    def _file_number(self, file: Path) -> int:
        number = self._number_of.setdefault(file, len(self._files))
        if number == len(self._files):
            self._files.append(file)
        return number
