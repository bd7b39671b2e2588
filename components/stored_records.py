"""Reads the records of single files of Examples, for who needs the files in an order of its own, or not all of them.

Files that are in object storage are fetched when their turn comes, and removed once they are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.dataset_reader import Span, plain
from components.untuned import untuned

Read = Callable[[tf.Tensor | int], tf.data.Dataset]


class _Part(NamedTuple):
    """Consecutive records of one file."""

    path: str
    skipped: int  # records before them
    taken: int


@plain
def read_spans(examples: Examples, spans: Sequence[Sequence[Span]], readers: int = 1) -> Read:
    """Returns a function that reads (image string (), label int64 ()), as stored, of the spans of a row, in order.

    Args:
        examples: images in files on this machine, or in object storage (`examples.streamed`).
        spans: rows of spans that each lie in one stored file.
        readers: how many rows are read at once.

    Returns:
        A function from the row's number, a Python integer or a tensor int64 (). It may be called in a graph.
    """
    info = tfds.builder_from_directory(examples.prepared_directory).info
    places = {name: _FilesOfSplit(split) for name, split in info.splits.items()}
    rows = [[places[span.split].part(span) for span in row] for row in spans]
    used = tfds.decode.PartialDecoding({examples.image_key: True, examples.label_key: True})
    features, stored = used.extract_features(info.features), {examples.image_key: tfds.decode.SkipDecoding()}

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = features.deserialize_example(record, decoders=stored)
        return example[examples.image_key], example[examples.label_key]

    parts = _here(rows) if examples.streamed is None else _fetched(examples, rows, readers)
    return lambda row: untuned(parts(row)).flat_map(_records).map(parse)


@plain
def _records(path: tf.Tensor, skipped: tf.Tensor, taken: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(path).skip(skipped).take(taken)


def _here(rows: list[list[_Part]]) -> Read:
    """Returns a function from a row's number to its parts, of files that are on this machine."""
    counts = [len(row) for row in rows]
    columns = [
        tf.RaggedTensor.from_row_lengths(tf.constant([part[field] for row in rows for part in row], type_), counts)
        for field, type_ in enumerate((tf.string, tf.int64, tf.int64))
    ]
    return lambda row: tf.data.Dataset.from_tensor_slices(tuple(column[row] for column in columns))


def _fetched(examples: Examples, rows: list[list[_Part]], readers: int) -> Read:
    """Returns a function from a row's number to its parts, of files that are fetched when it is their turn."""
    streamed = examples.streamed
    assert streamed is not None

    def generate(row: int) -> Iterator[tuple[str, int, int]]:
        names = [Path(part.path).name for part in rows[row]]
        for path, part in zip(streamed.in_turn(names, readers), rows[row], strict=True):
            yield str(path), part.skipped, part.taken

    signature = tuple(tf.TensorSpec((), type_) for type_ in (tf.string, tf.int64, tf.int64))
    return lambda row: tf.data.Dataset.from_generator(generate, args=(row,), output_signature=signature)


class _FilesOfSplit:
    """The paths of a split's files, and the index of the first example in each."""

    def __init__(self, info: tfds.core.SplitInfo) -> None:
        self._paths = [str(path) for path in info.filepaths]
        self._starts = list(accumulate(info.shard_lengths, initial=0))

    def part(self, span: Span) -> _Part:
        """Returns the records of a span that lies in one file."""
        file = bisect_right(self._starts, span.start) - 1
        return _Part(self._paths[file], span.start - self._starts[file], span.stop - span.start)
