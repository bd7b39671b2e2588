"""Reads the images of Examples. No other module knows that they are a TensorFlow Datasets (TFDS) folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from numpy.typing import NDArray

from components.artifacts import Examples
from components.images.decode_graph import lay_on_white
from components.images.resize import crop_and_resize
from components.partial_copies import bring_files
from components.untuned import untuned

_M_ARENA_MAX = -8  # a constant of glibc's malloc.h
ARENAS = 2
# Functions that map over a dataset need no AutoGraph, which would inspect them for 0.1 s for each dataset.
plain = tf.autograph.experimental.do_not_convert
FILE = "file"  # name of the feature that holds each image's path, in datasets that were made of files


def _limit_arenas() -> None:
    """Keeps memory flat however many datasets are read one after the other, as for the shards of a scan.

    Each dataset starts threads of its own. glibc gives each thread one of up to 8 heaps a core, and keeps freed memory
    in it.
    """
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):  # the C library is not glibc
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


_limit_arenas()


class Span(NamedTuple):
    """Consecutive examples of one stored split."""

    split: str
    start: int
    stop: int

    @property
    def slice(self) -> str:
        """The span in TFDS's slice syntax: "train[0:4800]"."""
        return f"{self.split}[{self.start}:{self.stop}]"

    def overlaps(self, other: Span) -> bool:
        """Returns whether the two spans share an example."""
        return self.split == other.split and max(self.start, other.start) < min(self.stop, other.stop)


def spans(slice_: str, splits: Mapping[str, tfds.core.SplitInfo]) -> list[Span]:
    """Returns the examples that a slice such as "train[:96%]+test" names, in its order; empty parts are left out.

    `splits` are the stored ones, `builder.info.splits`. Raises ValueError from TFDS if the slice is not in its syntax,
    or names a split or examples that do not exist.
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
    """Returns the first index and the number of examples of each file of a split."""
    return zip(accumulate(lengths, initial=0), lengths, strict=False)


@plain
def read(examples: Examples, slice_: str) -> tf.data.Dataset:
    """Reads (image uint8 (height, width, 3), label int64 ()) as stored, in the stored order.

    Gray images, stored with one channel, have it three times. Of images with four channels the last one is opacity:
    they are laid on white.
    """

    return _as_dataset(examples, slice_).map(
        lambda example: (_image(examples, example), example[examples.label_key]), num_parallel_calls=tf.data.AUTOTUNE
    )


@plain
def read_with_features(examples: Examples, slice_: str, features: Sequence[str]) -> tf.data.Dataset:
    """Reads (image, label, {feature: its value as stored}): as `read`, with further features of the dataset."""
    return _as_dataset(examples, slice_, features).map(
        lambda example: (
            _image(examples, example),
            example[examples.label_key],
            {name: example[name] for name in features},
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def features_of(examples: Examples) -> Mapping[str, tfds.features.FeatureConnector]:
    """Returns the features of the dataset's examples, by name."""
    return _builder(examples).info.features


@plain
def read_resized(examples: Examples, slice_: str, height: int, width: int) -> tf.data.Dataset:
    """Reads (image uint8 (height, width, 3), label int64 ()) in the stored order, cropped and resized if need be."""
    dataset = read(examples, slice_)
    if examples.image_shape[:2] == (height, width):
        return dataset
    return dataset.map(
        lambda image, label: (crop_and_resize(image, height, width), label), num_parallel_calls=tf.data.AUTOTUNE
    )


@plain
def read_encoded(examples: Examples, slice_: str) -> tf.data.Dataset:
    """Reads (image string (), label int64 ()): the bytes of image files as stored, in the stored order."""
    return _as_dataset(examples, slice_, as_stored=True).map(
        lambda example: (example[examples.image_key], example[examples.label_key])
    )


def decode_resized(examples: Examples, data: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Returns the image that `read_resized` gives, from the bytes that `read_encoded` gives."""
    image = decode(examples, data)
    return image if examples.image_shape[:2] == (height, width) else crop_and_resize(image, height, width)


@plain
def read_chosen_resized(
    examples: Examples, slice_: str, chosen: NDArray[np.bool_], height: int, width: int
) -> tf.data.Dataset:
    """Reads image uint8 (height, width, 3), as `read_resized` gives it, of the examples that are `chosen`, bool (n,).

    The others are not decoded.
    """
    encoded = tf.data.Dataset.zip(read_encoded(examples, slice_), tf.data.Dataset.from_tensor_slices(chosen))
    return encoded.filter(lambda example, is_chosen: is_chosen).map(
        lambda example, is_chosen: decode_resized(examples, example[0], height, width),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


@plain
def read_chosen(examples: Examples, slice_: str, chosen: NDArray[np.bool_]) -> tf.data.Dataset:
    """Reads (image as `read` gives it, file string ()) of the examples that are `chosen`, bool (n,).

    The others are not decoded. The file is empty if the dataset was not made of files.
    """
    named = [FILE] if FILE in features_of(examples) else []
    stored = _as_dataset(examples, slice_, named, as_stored=True)
    marked = tf.data.Dataset.zip(stored, tf.data.Dataset.from_tensor_slices(chosen))
    return marked.filter(lambda _, is_chosen: is_chosen).map(
        lambda each, _: (decode(examples, each[examples.image_key]), each.get(FILE, "")), tf.data.AUTOTUNE
    )


def stored_channels(examples: Examples) -> int:
    """Returns the channels that images are decoded to before they are made RGB: 1, 3 or 4."""
    channels: int = features_of(examples)[examples.image_key].shape[-1]
    return channels


def example_name(examples: Examples, split: str, index: int) -> str:
    """Returns the name by which a person finds an example of a split: its file, or its slice in TFDS's syntax.

    `split` is "train", "validation" or "test"; `index` counts the split's examples from 0.
    """
    for span in spans(examples.splits[split], _builder(examples).info.splits):
        if index < span.stop - span.start:
            break
        index -= span.stop - span.start
    one = Span(span.split, span.start + index, span.start + index + 1).slice
    if FILE not in features_of(examples):
        return one
    (example,) = _in_order(examples, one, tfds.decode.PartialDecoding({FILE: True})).as_numpy_iterator()
    return example[FILE].decode()


def stored_bytes_per_example(examples: Examples, split: str) -> int:
    """Returns the stored bytes per example of a split ("train", "validation" or "test"), rounded up."""
    infos = _builder(examples).info.splits
    named = {span.split for span in spans(examples.splits[split], infos)}
    counts, sizes = zip(*((infos[name].num_examples, infos[name].num_bytes) for name in named), strict=True)
    return -(-sum(sizes) // sum(counts))


def to_rgb(image: tf.Tensor) -> tf.Tensor:
    """Converts uint8 (height, width, 1, 3 or 4) to uint8 (height, width, 3)."""
    if image.shape[-1] == 1:
        return tf.repeat(image, 3, axis=-1)
    if image.shape[-1] == 4:
        return lay_on_white(image)
    return image


def decode(examples: Examples, data: tf.Tensor) -> tf.Tensor:
    """Returns the image that `read` gives, from the bytes that `read_encoded` gives."""
    return _image(examples, {examples.image_key: features_of(examples)[examples.image_key].decode_example(data)})


def _image(examples: Examples, example: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.ensure_shape(to_rgb(example[examples.image_key]), examples.image_shape)


def _as_dataset(
    examples: Examples, slice_: str, more: Sequence[str] = (), *, as_stored: bool = False
) -> tf.data.Dataset:
    """Decodes only the features that are used: image (or not, if `as_stored`), label, and `more`."""
    stored = {examples.image_key: tfds.decode.SkipDecoding()} if as_stored else None
    used = dict.fromkeys([examples.image_key, examples.label_key, *more], True)
    return _in_order(examples, slice_, tfds.decode.PartialDecoding(used, decoders=stored))


def _in_order(examples: Examples, slice_: str, decoders: tfds.decode.PartialDecoding) -> tf.data.Dataset:
    """Reads examples in the stored order. Those of their files that are not on this machine are fetched before."""
    builder = _builder(examples)
    bring_files(examples.prepared_directory, builder.info.splits[slice_].filenames)
    dataset = builder.as_dataset(
        split=slice_,
        shuffle_files=False,
        decoders=decoders,
        # One file after the other, so that the stored order is the split's order. The caller decides what to cache.
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    return untuned(dataset)


def _builder(examples: Examples) -> tfds.core.DatasetBuilder:
    return tfds.builder_from_directory(examples.prepared_directory)
