"""Gathers what the spans of photos hold: which files were read, and where the record of each one lies.

A photo takes some 32 bytes of memory, and its name. Its number counts the photos from 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from components.ingest.drawing import Photo, Unit
from components.ingest.layout import Layout
from components.ingest.order import interleave
from components.ingest.photo_tree import Files
from components.ingest.span_file import REJECTED, SpanIndex, join_names, split_names

_MOST_OPEN = 128  # of the files of spans


class Gathered:
    """The photos of all spans. Spans are added in their order."""

    def __init__(self, class_count: int) -> None:
        self.file_counts: dict[str, list[int]] = {}  # of each class in each split of the source, read or not
        self.shapes: set[tuple[int, int]] = set()  # heights and widths; two at most: more need not be told apart
        self._class_count = class_count
        self._numbers: dict[str, list[array[int]]] = {}
        self._names: dict[str, list[bytearray]] = {}
        self._units: dict[int, list[Photo]] = {}
        self._records: list[Path] = []
        self._places = array("q")  # of each photo: the number of the file of records, the first byte, and the bytes

    def __len__(self) -> int:
        return len(self._places) // 3

    def add(self, folder: Path, index: SpanIndex) -> None:
        """Adds a span."""
        counts = self.file_counts.setdefault(index.split, [0] * self._class_count)
        numbers = self._numbers.setdefault(index.split, [array("q") for _ in counts])
        names = self._names.setdefault(index.split, [bytearray() for _ in counts])
        start = 0
        columns = (index.labels, index.units, index.record_bytes, index.shapes)
        for file, label, unit, length, shape in zip(index.files, *(each.tolist() for each in columns), strict=True):
            counts[label] += 1
            if length == REJECTED:
                continue
            numbers[label].append(len(self))
            names[label] += join_names([file])
            if unit:
                self._units.setdefault(unit, []).append((label, file))
            if len(self.shapes) < 2:
                self.shapes.add(tuple(shape))
            self._places.extend((len(self._records), start, length))
            start += length
        self._records.append(folder / index.records)

    def layout(self, class_names: tuple[str, ...]) -> Layout:
        """Returns the files that were read, by the splits of the source."""
        splits = {
            split: [Files("", len(numbers), bytes(block)) for numbers, block in zip(of_split, blocks, strict=True)]
            for (split, of_split), blocks in zip(self._numbers.items(), self._names.values(), strict=True)
        }
        return Layout(class_names, splits)

    def units(self) -> list[Unit]:
        """Returns the photos that belong together, as far as they were read."""
        return [tuple(sorted(unit)) for unit in self._units.values() if len(unit) > 1]

    def in_order(self, layout: Layout) -> dict[str, Iterator[int]]:
        """Returns the numbers of the photos of each split, in the order in which they are stored.

        `layout` has the files of `self.layout`, perhaps in other splits.
        """
        numbers: dict[str, list[array[int]]] = {split: [] for split in layout.splits}
        for label in range(self._class_count):
            number_of = dict(self._of_class(label))
            for split, classes in layout.splits.items():
                numbers[split].append(array("q", map(number_of.__getitem__, classes[label])))
        return {split: (number for _, number in interleave(classes)) for split, classes in numbers.items()}

    def _of_class(self, label: int) -> Iterator[tuple[str, int]]:
        for split, numbers in self._numbers.items():
            yield from zip(split_names(bytes(self._names[split][label])), numbers[label], strict=True)

    def read(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yields the records of photos. Raises OSError if a file of records is gone or cut short."""
        opened: dict[Path, IO[bytes]] = {}
        try:
            for number in numbers:
                which, start, length = self._places[3 * number : 3 * number + 3]
                file = _opened(self._records[which], opened)
                file.seek(start)
                record = file.read(length)
                if len(record) < length:
                    raise OSError(f"{self._records[which]} is cut short. Run again.")
                yield record
        finally:
            for file in opened.values():
                file.close()


def _opened(path: Path, opened: dict[Path, IO[bytes]]) -> IO[bytes]:
    """Returns the open file, the last of those that are kept open; the first one is closed if they are too many."""
    file = opened.pop(path, None) or path.open("rb")
    opened[path] = file
    if len(opened) > _MOST_OPEN:
        opened.pop(next(iter(opened))).close()
    return file
