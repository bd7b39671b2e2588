"""Classifies photos on Beam's workers, a shard at a time, each into a Parquet file of its own.

Only references travel to a worker: names of photos, and places that it reaches by itself.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from components.batch_size import max_batch_size
from components.component import ComponentError
from components.images.photos import UnreadableError
from components.object_storage import configure
from components.thread_map import map_in_order
from pipeline.orchestrator.same_code import require_same_code
from pipeline.predict.photo_source import Found, Source
from pipeline.predict.published import PublishedVersion
from pipeline.predict.row import NEXT_CLASSES, Row, failed, predicted
from pipeline.predict.rows_folder import RowsFolder
from pipeline.predict.served import ServedModel

MOST_IMAGES = 32  # computed at once: as fast as more, and less is wasted at the end of a shard
_BATCHES_AHEAD = 2  # of photos that are read while the model computes


@dataclass(frozen=True)
class Job:
    """What all shards of a command have in common."""

    source: Source
    rows: RowsFolder
    version: PublishedVersion
    beam_args: tuple[str, ...]  # with the endpoint of object storage
    code: Mapping[str, str] = field(default_factory=dict)  # of the command: see `same_code`


class _Read(NamedTuple):
    file: str
    image: NDArray[np.uint8] | None  # (height, width, 3), of the model's size
    error: str = ""


def build(pipeline: beam.Pipeline, job: Job, digests: Sequence[str]) -> None:
    """Adds the graph that writes the rows of the shards with these digests."""
    shards = pipeline | "shards" >> beam.Create(digests) | "spread" >> beam.Reshuffle()
    shards | "predict" >> beam.Map(predict_shard, job)


def predict_shard(digest: str, job: Job) -> None:
    """Writes the rows of a shard, unless they are there: one for each photo, in its order.

    Raises ComponentError if this machine has other code than the command, or does not see the photos, or the version is
    gone by now, and OSError if storage cannot be reached.
    """
    require_same_code("bulk prediction", Job.__module__, job.code)
    configure(job.beam_args)
    if job.rows.has(digest):
        return
    try:
        names = job.rows.read_names(digest)
    except ComponentError:
        if job.rows.has(digest):  # another command has written them since, and has ended
            return
        raise
    _require_photos(job.source, names)
    rows = list(predict(job.version.load(), job.source.find(names)))
    if all(row.error for row in rows):
        _require_photos(job.source, names)
    job.rows.write(digest, rows)


def _require_photos(source: Source, names: Sequence[str]) -> None:
    """Raises ComponentError if none of the photos is there: a row each would say so for ever, of a disk that is not."""
    if not any(map(source.has, names)):
        raise ComponentError(
            f"None of {len(names)} photos that were listed in {source.place} is to be seen on this machine, "
            f"{socket.gethostname()}, such as {names[0]!r}. A folder must be at the same path on each machine that "
            "works; several machines may share object storage instead. If the photos were removed, start the command "
            "again."
        )


def predict(model: ServedModel, photos: Iterable[Found]) -> Iterator[Row]:
    """Yields a row for each photo, in their order. Photos are read on all cores while the model computes."""
    batch_size = max_batch_size(model.card.image_height, model.card.image_width, MOST_IMAGES)
    reads = map_in_order(lambda photo: _read(model, photo), photos, ahead=_BATCHES_AHEAD * batch_size)
    while batch := list(itertools.islice(reads, batch_size)):
        yield from _rows(model, batch, batch_size)


def _read(model: ServedModel, photo: Found) -> _Read:
    try:
        return _Read(photo.file, model.resize(model.read(photo.open())))
    except UnreadableError as error:
        return _Read(photo.file, None, str(error))
    except MemoryError:
        return _Read(photo.file, None, "there is not enough memory to decode it")


def _rows(model: ServedModel, batch: Sequence[_Read], batch_size: int) -> Iterator[Row]:
    """Yields the rows of a batch. It is filled up with empty images: the last bits depend on the size of a batch."""
    images = [read.image for read in batch if read.image is not None]
    if images:
        filled_up = np.zeros((batch_size, *images[0].shape), np.uint8)
        filled_up[: len(images)] = images
        probabilities = iter(model.classify(filled_up))
    for read in batch:
        if read.image is None:
            yield failed(read.file, model.version, read.error)
        elif not np.isfinite(answer := next(probabilities)).all():
            yield failed(read.file, model.version, "the model gives no finite probabilities for it")
        else:
            yield predicted(read.file, model.version, model.judge(answer, 1 + NEXT_CLASSES))
