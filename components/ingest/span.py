"""Reads and encodes photos on Beam's workers, a span of files at a time, each into files of its own."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from components.file_exchange import FileExchange
from components.images.photos import UnreadableError
from components.ingest import rejected, span_file
from components.ingest.decode import PIXELS_DIGEST_BYTES, read_image
from components.ingest.photo_records import photo_serializer
from components.ingest.rejected import Rejected
from components.ingest.span_file import REJECTED, SpanIndex, split_names
from components.local_copies import DataCopy, fetch_files, missing_files
from components.object_storage import RemoteFile
from components.thread_map import map_in_order

State = tuple[int, int, int]  # of a file: its bytes, its time and when it was read, in nanoseconds since 1970


@dataclass(frozen=True)
class Reading:
    """What all spans of one source have in common."""

    source: Path  # the folder that the files' names are relative to
    url: str  # of that folder in object storage, of which each machine has a copy; empty if there is none
    folder: Path  # for the files of the spans
    class_count: int
    file_count: int  # of all spans
    shorter_side_pixels: int | None
    max_rejected_fraction: float
    takes_earlier: bool  # whether spans that an earlier attempt has read are taken as they are
    exchange: FileExchange


@dataclass(frozen=True)
class Span:
    """Files of one split that a worker reads one after the other, in the planned order of the split."""

    reading: Reading
    number: int
    split: str
    names: bytes  # as `span_file.join_names` makes them
    labels: tuple[int, ...]
    units: tuple[int, ...]
    states: tuple[tuple[int, int], ...] = ()  # of objects in storage: bytes, and time in nanoseconds since 1970

    @property
    def files(self) -> list[str]:
        """The names of the files, relative to the source's folder."""
        return split_names(self.names)

    @property
    def index(self) -> Path:
        """The file that is written last."""
        return span_file.index_path(self.reading.folder, self.number)


class SpanRead(NamedTuple):
    """A span that was read, and its index."""

    number: int
    file: str  # relative to the scratch folder


class _Photo(NamedTuple):
    """What became of one file."""

    record: bytes | None = None  # None: the file cannot be read
    reason: str = ""
    shape: tuple[int, int] = (0, 0)
    state: State = (0, 0, 0)
    sha256: bytes = bytes(32)
    pixels: bytes = bytes(PIXELS_DIGEST_BYTES)


def scan(spans: beam.PCollection) -> beam.PCollection:
    """Builds the graph that gives one `SpanRead` for each span."""
    return spans | "ReadPhotos" >> beam.Map(read_span)


def read_span(span: Span) -> SpanRead:
    """Reads and encodes the files of a span, unless an earlier attempt has done so.

    Raises ComponentError if by now more files of the source are known to be unreadable than the config allows.
    """
    if not (span.reading.takes_earlier and _is_done(span)):
        try:
            _read_anew(span)
        except FileNotFoundError:  # another run has committed the same work, and removed the folder
            _read_anew(span)
    return SpanRead(span.number, f"{span.reading.folder.name}/{span.index.name}")


def _is_done(span: Span) -> bool:
    """Returns whether the span was read before, with all its files, and these have not changed since."""
    try:
        index = span_file.read(span.index)
        is_whole = span_file.has_all_records(span.reading.folder, index)
        now = [os.stat(_source(span.reading) / file) for file in span.files]
    except Exception:  # whatever is wrong with it: the span is read again
        return False
    seen = [(status.st_size, status.st_mtime_ns) for status in now]
    return is_whole and seen == list(map(tuple, index.states[:, :2].tolist()))


def _read_anew(span: Span) -> None:
    source = _source(span.reading)
    _fetch_missing(span, source)
    span.reading.folder.mkdir(parents=True, exist_ok=True)
    records = span.reading.folder / f"{span.index.stem}-{uuid.uuid4().hex[:12]}.records"
    photos: list[tuple[int, _Photo]] = []
    with records.open("wb") as file:
        for photo in map_in_order(_reader(span.reading, source), zip(span.labels, span.files, strict=True)):
            file.write(photo.record or b"")
            length = REJECTED if photo.record is None else len(photo.record)
            photos.append((length, photo._replace(record=None)))
    lost = zip(span.files, photos, strict=True)
    _refuse_many(span, [Rejected(file, photo.reason) for file, (length, photo) in lost if length == REJECTED])
    span_file.write(span.index, _index(span, records.name, photos))
    span.reading.exchange.put(records, span.index)


def _refuse_many(span: Span, found: list[Rejected]) -> None:
    """Notes the span's rejected files. Raises ComponentError if those of all spans so far are too many."""
    note, reading = rejected.note(span.index, found), span.reading
    if found:
        reading.exchange.put(note)
        rejected.require_few(
            rejected.noted(reading.folder), reading.file_count, reading.max_rejected_fraction, reading.source
        )


def _index(span: Span, records: str, photos: list[tuple[int, _Photo]]) -> SpanIndex:
    lengths = np.array([length for length, _ in photos], np.int64)
    ends = np.cumsum(np.where(lengths == REJECTED, 0, lengths))
    return SpanIndex(
        records=(records,),
        split=span.split,
        names=span.names,
        labels=np.array(span.labels, np.int64),
        units=np.array(span.units, np.int64),
        record_files=np.zeros(len(photos), np.int64),
        record_starts=np.r_[0, ends[:-1]],
        record_bytes=lengths,
        shapes=np.array([photo.shape for _, photo in photos], np.int64),
        states=np.array([photo.state for _, photo in photos], np.int64),
        sha256=np.frombuffer(b"".join(photo.sha256 for _, photo in photos), np.uint8).reshape(-1, 32),
        pixels=np.frombuffer(b"".join(photo.pixels for _, photo in photos), np.uint8).reshape(-1, PIXELS_DIGEST_BYTES),
    )


def _reader(reading: Reading, source: Path) -> Callable[[tuple[int, str]], _Photo]:
    """Returns a function that reads and encodes a file, given its label and name. Many threads call it at once."""
    serialize = photo_serializer(reading.class_count)

    def read(item: tuple[int, str]) -> _Photo:
        label, file = item
        seen = _Photo()

        def note(status: os.stat_result, data: bytes) -> None:
            nonlocal seen
            state = (status.st_size, status.st_mtime_ns, time.time_ns())
            seen = _Photo(state=state, sha256=hashlib.sha256(data).digest())

        try:
            image = read_image(source / file, reading.shorter_side_pixels, note)
        except UnreadableError as error:
            return seen._replace(reason=str(error))
        record, shape = serialize(file, label, image), (image.height, image.width)
        return seen._replace(record=record, shape=shape, pixels=image.pixels_digest)

    return read


def _source(reading: Reading) -> Path:
    """Returns the folder of the photos on this machine; one that may lack some, if another machine has planned this."""
    if not reading.url:
        return reading.source
    copy = DataCopy.at(reading.url, reading.source)
    return copy.folder if copy.folder.is_dir() else copy.part


def _fetch_missing(span: Span, source: Path) -> None:
    """Fetches the span's files from object storage if another machine, which has planned it, has them and this not."""
    if span.reading.url:
        wanted = [RemoteFile(file, *state) for file, state in zip(span.files, span.states, strict=True)]
        fetch_files(span.reading.url, missing_files(source, wanted), source)
