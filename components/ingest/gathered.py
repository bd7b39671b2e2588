"""Gathers what the spans of photos hold: which files were read, and where the record of each one lies.

A photo takes some 48 bytes of memory, and its name. Its number counts the photos from 0.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.ingest.assignment import Copy
from components.ingest.decode import PIXELS_DIGEST_BYTES
from components.ingest.drawing import Photo, Unit
from components.ingest.layout import Layout
from components.ingest.order import interleave
from components.ingest.photo_tree import Files
from components.ingest.record_places import RecordPlaces
from components.ingest.span_file import REJECTED, SpanIndex, join_names, split_names


class Gathered:
    """The photos of all spans. Spans are added in their order."""

    def __init__(self, class_count: int) -> None:
        self.file_counts: dict[str, list[int]] = {}  # of each class in each split of the source, read or not
        self.shapes: set[tuple[int, int]] = set()  # heights and widths; two at most: more need not be told apart
        self.places = RecordPlaces()
        self.indices: list[Path] = []  # of the spans
        self.byte_count = 0  # of all records
        self._class_count = class_count
        self._numbers: dict[str, list[array[int]]] = {}
        self._names: dict[str, list[bytearray]] = {}
        self._units: dict[int, list[Photo]] = {}
        self._pixels = bytearray()  # of each photo: the digest of its pixels
        self._firsts = array("q")  # of each span: the number of its first photo

    def __len__(self) -> int:
        return len(self.places)

    def add(self, path: Path, index: SpanIndex) -> None:
        """Adds a span, which has its index at `path`."""
        counts = self.file_counts.setdefault(index.split, [0] * self._class_count)
        numbers = self._numbers.setdefault(index.split, [array("q") for _ in counts])
        names = self._names.setdefault(index.split, [bytearray() for _ in counts])
        self.indices.append(path)
        self._firsts.append(len(self))
        self._pixels += index.pixels[index.record_bytes != REJECTED].tobytes()
        columns = (index.labels, index.units, index.shapes, index.record_files, index.record_starts, index.record_bytes)
        for file, label, unit, shape, *place in zip(index.files, *(each.tolist() for each in columns), strict=True):
            counts[label] += 1
            which, start, length = place
            if length == REJECTED:
                continue
            numbers[label].append(len(self))
            names[label] += join_names([file])
            if unit:
                self._units.setdefault(unit, []).append((label, file))
            if len(self.shapes) < 2:
                self.shapes.add(tuple(shape))
            self.places.add(path.parent / index.records[which], start, length)
            self.byte_count += length

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

    def copies(self) -> list[list[Copy]]:
        """Returns the photos that have the same pixels, two or more in each group."""
        digests = np.frombuffer(bytes(self._pixels), np.dtype((np.void, PIXELS_DIGEST_BYTES)))
        _, group, counts = np.unique(digests, return_inverse=True, return_counts=True)
        shared = {int(number): int(group[number]) for number in np.flatnonzero(counts[group] > 1)}
        groups: dict[int, list[Copy]] = {}
        for split, numbers in self._numbers.items() if shared else ():
            for label, of_class in enumerate(numbers):
                for file, number in zip(split_names(bytes(self._names[split][label])), of_class, strict=True):
                    if number in shared:
                        groups.setdefault(shared[number], []).append(Copy(split, label, file))
        return list(groups.values())

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

    def numbers_of(self, span: int) -> range:
        """Returns the numbers of the photos of a span."""
        last = len(self) if span + 1 == len(self._firsts) else self._firsts[span + 1]
        return range(self._firsts[span], last)

    def span_of(self, number: int) -> int:
        """Returns the span in which a photo was read."""
        return bisect_right(self._firsts, number) - 1
