"""Reads Examples: the only place that knows that they are a TensorFlow Datasets folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.images.resize import crop_and_resize

_M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2
# What maps over a dataset is no code for AutoGraph: to find that out takes it a tenth of a second for each dataset.
plain = tf.autograph.experimental.do_not_convert
FILE = "file"  # the feature of a dataset that was made of files: the path of each


def _limit_arenas() -> None:
    """Keeps memory flat however many datasets are read, one after the other, as for a scan's shards.

    Each brings threads of its own, and glibc gives each thread one of up to 8 heaps a core, where free memory stays.
    """
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


_limit_arenas()


class Span(NamedTuple):
    """Consecutive examples of one stored split."""

    split: str
    start: int
    stop: int

    @property
    def slice(self) -> str:
        """In TFDS's own syntax: "train[0:4800]"."""
        return f"{self.split}[{self.start}:{self.stop}]"

    def overlaps(self, other: Span) -> bool:
        """Whether both have an example."""
        return self.split == other.split and max(self.start, other.start) < min(self.stop, other.stop)


def spans(slice_: str, splits: Mapping[str, tfds.core.SplitInfo]) -> list[Span]:
    """The examples that a slice such as "train[:96%]+test" names, in its order; empty parts are left out.

    `splits` are the stored ones, `builder.info.splits`. Raises ValueError from TFDS where the slice is not in its
    syntax, or names a split or examples that are not there.
    """
    absolute = tfds.core.ReadInstruction.from_spec(slice_).to_absolute(splits)
    named = [Span(part.splitname, part.from_ or 0, _stop(part, splits)) for part in absolute]
    return [span for span in named if span.start < span.stop]


def _stop(part: tfds.core.ReadInstruction, splits: Mapping[str, tfds.core.SplitInfo]) -> int:
    return splits[part.splitname].num_examples if part.to is None else part.to


def shard_spans(examples: Examples, split: str, examples_per_shard: int) -> list[Span]:
    """Cuts a split ("train", "validation" or "test") into spans of at most `examples_per_shard`, in order."""
    return [
        Span(span.split, start, min(start + examples_per_shard, span.stop))
        for span in spans(examples.splits[split], _builder(examples).info.splits)
        for start in range(span.start, span.stop, examples_per_shard)
    ]


def file_spans(examples: Examples, split: str) -> list[Span]:
    """Cuts a split ("train", "validation" or "test") into spans that each lie in one stored file, in order."""
    infos = _builder(examples).info.splits
    return [
        Span(span.split, max(start, span.start), min(start + length, span.stop))
        for span in spans(examples.splits[split], infos)
        for start, length in _files(infos[span.split].shard_lengths)
        if start < span.stop and start + length > span.start
    ]


def _files(lengths: list[int]) -> Iterator[tuple[int, int]]:
    """Where each file of a split starts, and how many examples it holds."""
    return zip(accumulate(lengths, initial=0), lengths, strict=False)


@plain
def read(examples: Examples, slice_: str) -> tf.data.Dataset:
    """(image uint8 (height, width, 3), label int64 ()) as stored, in the stored order.

    Images that are stored with one channel, grey, have it three times; of those with four the last is opacity, and
    they are laid on white.
    """

    return _as_dataset(examples, slice_).map(
        lambda example: (_image(examples, example), example[examples.label_key]), num_parallel_calls=tf.data.AUTOTUNE
    )


@plain
def read_with_features(examples: Examples, slice_: str, features: Sequence[str]) -> tf.data.Dataset:
    """(image, label, {feature: its value as stored}): as `read`, with more of what the dataset holds."""
    return _as_dataset(examples, slice_, features).map(
        lambda example: (
            _image(examples, example),
            example[examples.label_key],
            {name: example[name] for name in features},
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def features_of(examples: Examples) -> Mapping[str, tfds.features.FeatureConnector]:
    """By name, what the dataset holds of each example."""
    return _builder(examples).info.features


@plain
def read_resized(examples: Examples, slice_: str, height: int, width: int) -> tf.data.Dataset:
    """(image uint8 (height, width, 3), label int64 ()), cropped and resized where need be, in the stored order."""
    dataset = read(examples, slice_)
    if examples.image_shape[:2] == (height, width):
        return dataset
    return dataset.map(
        lambda image, label: (crop_and_resize(image, height, width), label), num_parallel_calls=tf.data.AUTOTUNE
    )


@plain
def read_encoded(examples: Examples, slice_: str) -> tf.data.Dataset:
    """(image string (), label int64 ()): the bytes of image files as stored, in the stored order."""
    return _as_dataset(examples, slice_, as_stored=True).map(
        lambda example: (example[examples.image_key], example[examples.label_key])
    )


def decode_resized(examples: Examples, data: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The image that `read_resized` would give, from the bytes that `read_encoded` gives."""
    pixels = features_of(examples)[examples.image_key].decode_example(data)
    image = _image(examples, {examples.image_key: pixels})
    return image if examples.image_shape[:2] == (height, width) else crop_and_resize(image, height, width)


def example_name(examples: Examples, split: str, index: int) -> str:
    """What a person finds an example of "train", "validation" or "test" by: its file, or its place in TFDS."""
    for span in spans(examples.splits[split], _builder(examples).info.splits):
        if index < span.stop - span.start:
            break
        index -= span.stop - span.start
    one = Span(span.split, span.start + index, span.start + index + 1).slice
    if FILE not in features_of(examples):
        return one
    used = tfds.decode.PartialDecoding({FILE: True})
    (example,) = _builder(examples).as_dataset(split=one, decoders=used).as_numpy_iterator()
    return example[FILE].decode()


def stored_bytes_per_example(examples: Examples, split: str) -> int:
    """Of a split ("train", "validation" or "test"), in its files; rounded up."""
    infos = _builder(examples).info.splits
    named = {span.split for span in spans(examples.splits[split], infos)}
    counts, sizes = zip(*((infos[name].num_examples, infos[name].num_bytes) for name in named), strict=True)
    return -(-sum(sizes) // sum(counts))


def to_rgb(image: tf.Tensor) -> tf.Tensor:
    """uint8 (height, width, 1, 3 or 4) as uint8 (height, width, 3)."""
    if image.shape[-1] == 1:
        return tf.repeat(image, 3, axis=-1)
    if image.shape[-1] == 4:
        opacity = tf.cast(image[..., 3:], tf.float32) / 255
        on_white = tf.cast(image[..., :3], tf.float32) * opacity + 255 * (1 - opacity)
        return tf.cast(tf.round(on_white), tf.uint8)
    return image


def _image(examples: Examples, example: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.ensure_shape(to_rgb(example[examples.image_key]), examples.image_shape)


def _as_dataset(
    examples: Examples, slice_: str, more: Sequence[str] = (), *, as_stored: bool = False
) -> tf.data.Dataset:
    """Only the features that are used are decoded: image, unless it is to be as stored, label, and `more`."""
    stored = {examples.image_key: tfds.decode.SkipDecoding()} if as_stored else None
    used = dict.fromkeys([examples.image_key, examples.label_key, *more], True)
    return _builder(examples).as_dataset(
        split=slice_,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(used, decoders=stored),
        # One file after the other: the stored order is the split's order. What to cache is for the caller to say.
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )


def _builder(examples: Examples) -> tfds.core.DatasetBuilder:
    return tfds.builder_from_directory(examples.prepared_directory)
