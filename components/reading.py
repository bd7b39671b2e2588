"""Reads Examples: the only place that knows that they are a TensorFlow Datasets folder."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.images import crop_and_resize


class Span(NamedTuple):
    """Consecutive examples of one stored split."""

    split: str
    start: int
    stop: int

    @property
    def slice(self) -> str:
        """In TFDS's own syntax: "train[0:4800]"."""
        return f"{self.split}[{self.start}:{self.stop}]"


def spans(slice_: str, split_lengths: dict[str, int]) -> list[Span]:
    """The examples that a slice such as "train[:96%]+test" names. Raises ValueError from TFDS if it names none."""
    absolute = tfds.core.ReadInstruction.from_spec(slice_).to_absolute(split_lengths)
    return [Span(part.splitname, part.from_ or 0, _stop(part, split_lengths)) for part in absolute]


def _stop(part: tfds.core.ReadInstruction, split_lengths: dict[str, int]) -> int:
    return split_lengths[part.splitname] if part.to is None else part.to


def shard_spans(examples: Examples, split: str, examples_per_shard: int) -> list[Span]:
    """Cuts a split ("train", "validation" or "blessing") into spans of at most `examples_per_shard`, in order."""
    lengths = {name: info.num_examples for name, info in _builder(examples).info.splits.items()}
    return [
        Span(span.split, start, min(start + examples_per_shard, span.stop))
        for span in spans(examples.splits[split], lengths)
        for start in range(span.start, span.stop, examples_per_shard)
    ]


def read(examples: Examples, slice_: str) -> tf.data.Dataset:
    """(image uint8 (height, width, 3), label int64 ()) as stored, in the stored order."""
    dataset = _as_dataset(examples, slice_)
    return dataset.map(
        lambda example: (example[examples.image_key], example[examples.label_key]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def read_resized(examples: Examples, slice_: str, height: int, width: int) -> tf.data.Dataset:
    """(image uint8 (height, width, 3), label int64 ()), cropped and resized where need be, in the stored order."""
    dataset = read(examples, slice_)
    if examples.image_shape[:2] == (height, width):
        return dataset
    return dataset.map(
        lambda image, label: (crop_and_resize(image, height, width), label), num_parallel_calls=tf.data.AUTOTUNE
    )


def _as_dataset(examples: Examples, slice_: str) -> tf.data.Dataset:
    """Only the two features that are used are decoded."""
    return _builder(examples).as_dataset(
        split=slice_,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({examples.image_key: True, examples.label_key: True}),
        # One file after the other: the stored order is the split's order.
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )


def _builder(examples: Examples) -> tfds.core.DatasetBuilder:
    return tfds.builder_from_directory(examples.prepared_directory)
