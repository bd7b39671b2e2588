"""Moves the records of photos from the files of their spans into the files of the dataset.

A span's own file is removed as soon as all its records lie in finished files of the dataset, so that the disk holds
little more than one copy. Nothing is lost with it: before, the index of the span is written anew, and says where the
records lie now. So an attempt that is killed, or whose commit fails, leaves everything to the next one. That holds the
files of the dataset by links of its own beside the index: on a disk without hard links nothing is removed.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.ingest import span_file
from components.ingest.gathered import Gathered
from components.ingest.span_file import REJECTED, SpanIndex


class Moving:
    """The move of all photos. Any number of processes may move the same ones at once, each into its own dataset."""

    def __init__(self, photos: Gathered) -> None:
        self._photos = photos
        self._read: list[int] = []  # the photos that were read and are not in a finished file yet
        spans = range(len(photos.indices))
        self._left = [len(photos.numbers_of(span)) for span in spans]  # photos of each span that are still to be moved
        self._files = [{photos.places.place_of(each)[0] for each in photos.numbers_of(span)} for span in spans]
        self._users = Counter(file for files in self._files for file in files)  # spans whose index names the file

    def read(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yields the records of photos. Raises OSError if a file of records is gone or cut short."""

        def noted() -> Iterator[int]:
            for number in numbers:
                self._read.append(number)
                yield number

        return self._photos.places.read(noted(), self._look_again)

    def stored(self, file: Path, starts: Sequence[int]) -> None:
        """Notes that the records that were read since the last call lie in a finished file, from these bytes on."""
        moved, self._read = self._read, []
        link = self._photos.indices[0].with_name(f".{uuid.uuid4().hex}.records")
        try:
            os.link(file, link)
        except OSError:  # this disk has no hard links
            return
        for number, start in zip(moved, starts, strict=True):
            self._photos.places.move(number, link, start)
        for span, count in Counter(map(self._photos.span_of, moved)).items():
            self._left[span] -= count
            if not self._left[span]:
                self._leave(span)

    def _leave(self, span: int) -> None:
        """Writes the index of a span anew, and removes the files that none names any more."""
        span_file.write(self._photos.indices[span], self._moved(span))
        for file in self._files[span]:
            self._users[file] -= 1
            if not self._users[file]:
                self._photos.places.close(file)
                file.unlink(missing_ok=True)

    def _moved(self, span: int) -> SpanIndex:
        """Returns the index of a span with the places that its records have now."""
        index, is_read = self._index(span)
        places = [self._photos.places.place_of(number) for number in self._photos.numbers_of(span)]
        names = sorted({file.name for file, *_ in places})
        files, starts = np.zeros_like(index.record_files), np.zeros_like(index.record_starts)
        files[is_read] = [names.index(file.name) for file, *_ in places]
        starts[is_read] = [start for _, start, _ in places]
        return index._replace(records=tuple(names), record_files=files, record_starts=starts)

    def _look_again(self, number: int) -> None:
        """Reads in the index where the records of the photo's span lie now: another process has moved them."""
        span = self._photos.span_of(number)
        index, is_read = self._index(span)
        files, starts = index.record_files[is_read].tolist(), index.record_starts[is_read].tolist()
        for each, which, start in zip(self._photos.numbers_of(span), files, starts, strict=True):
            self._photos.places.move(each, self._photos.indices[span].with_name(index.records[which]), start)

    def _index(self, span: int) -> tuple[SpanIndex, NDArray[np.bool_]]:
        """Reads the index of a span, and which of its files were read. Raises OSError if it is of other photos now."""
        path = self._photos.indices[span]
        index = span_file.read(path)
        is_read = index.record_bytes != REJECTED
        gathered = [self._photos.places.place_of(number)[2] for number in self._photos.numbers_of(span)]
        if index.record_bytes[is_read].tolist() != gathered:
            raise OSError(f"Photos of {path} have changed meanwhile. Run again.")
        return index, is_read
