"""Classifies photos on Beam's workers, a shard at a time, each into a Parquet file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from components.batch_size import max_batch_size
from components.component import ComponentError
from components.images.photos import UnreadableError
from components.object_storage import configure
from components.registry.layout import MODEL_CARD
from components.thread_map import map_in_order
from pipeline.predict.photo_source import Found, Source
from pipeline.predict.row import Row, failed, predicted
from pipeline.predict.rows_folder import RowsFolder
from pipeline.predict.served import LoadingError, ServedModel, load_once

MOST_IMAGES = 32  # computed at once: as fast as more, and less is wasted at the end of a shard


@dataclass(frozen=True)
class Job:
    """What all shards of a command have in common."""

    source: Source
    rows: RowsFolder
    version: Path  # the folder of the published version
    beam_args: tuple[str, ...]  # with the endpoint of object storage


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

    Raises ComponentError if the version is gone by now, and OSError if storage cannot be reached.
    """
    configure(job.beam_args)
    if job.rows.has(digest):
        return
    names = job.rows.read_names(digest)
    job.rows.write(digest, list(predict(_load(job.version), job.source.find(names))))


def _load(version: Path) -> ServedModel:
    if not (version / MODEL_CARD).is_file():
        raise ComponentError(
            f"{version} is gone: it was withdrawn or removed meanwhile. Rows of another version go into another folder."
        )
    try:
        return load_once(version)
    except LoadingError as error:
        raise ComponentError(str(error)) from error


def predict(model: ServedModel, photos: Iterable[Found]) -> Iterator[Row]:
    """Yields a row for each photo, in their order. Photos are read on all cores while the model computes."""
    waiting: list[_Read] = []
    card = model.card
    batch_size = max_batch_size(card.image_height, card.image_width, MOST_IMAGES)
    for read in map_in_order(lambda photo: _read(model, photo), photos):
        waiting.append(read)
        if sum(each.image is not None for each in waiting) == batch_size:
            yield from _rows(model, waiting, batch_size)
            waiting = []
    yield from _rows(model, waiting, batch_size)


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
            yield predicted(read.file, model.version, model.judge(answer))
