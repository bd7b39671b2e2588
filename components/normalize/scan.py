"""Builds the Beam graph of the pass over the images. Each image is decoded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from components import dataset_reader
from components.artifacts import Examples
from components.normalize import duplicates
from components.normalize.batches import read_in_batches
from components.normalize.moments import Moments, total

IMAGE_SIZES = 100  # listed, of each split
_BATCH_BYTES, _BATCH_IMAGES = 4 << 20, 64
# Drawings may be hundreds of times as large as their files.
_UNSIZED_BATCH_STORED_BYTES, _UNSIZED_BATCH_IMAGES = 256 << 10, 8


@dataclass(frozen=True)
class Shard:
    """Consecutive images of one split."""

    examples: Examples  # without the class names
    class_count: int
    split: str
    slice: str  # in TFDS's syntax
    first_index: int  # index of its first image in the split


@dataclass(frozen=True)
class Found:
    """The findings of one split."""

    split: str
    moments: Moments
    image_sizes: dict[str, int]  # the most frequent ones


def plan(examples: Examples, examples_per_shard: int) -> Iterator[Shard]:
    """Yields the shards of every split."""
    # Thousands of shards with a thousand class names each would take a hundred megabytes.
    nameless = examples.model_copy(update={"class_names": ()})
    for split in examples.splits:
        spans = dataset_reader.shard_spans(examples, split, examples_per_shard)
        first_indices = accumulate((span.stop - span.start for span in spans), initial=0)
        for span, first_index in zip(spans, first_indices, strict=False):
            yield Shard(nameless, len(examples.class_names), split, span.slice, first_index)


def scan(shards: beam.PCollection) -> beam.PCollection:
    """Builds the graph that gives one `Found` per split, and `Duplicates` over all of them."""
    scanned = shards | "ScanImages" >> beam.ParDo(scan_shard).with_outputs("sizes", "digests", main="moments")
    moments = scanned.moments | "AddMoments" >> beam.CombinePerKey(total)
    sizes = (
        scanned.sizes
        | "CountSizes" >> beam.CombinePerKey(sum)
        | "KeyBySplit" >> beam.MapTuple(lambda key, count: (key[0], (count, key[1])))
        | "MostFrequentSizes" >> beam.combiners.Top.PerKey(IMAGE_SIZES)
    )
    found = {"moments": moments, "sizes": sizes} | beam.CoGroupByKey() | "Found" >> beam.MapTuple(_found)
    copies = (
        scanned.digests
        | "GatherBuckets" >> beam.GroupByKey()
        | "FindCopies" >> beam.MapTuple(lambda _, packs: duplicates.in_bucket(packs))
        | "AddCopies" >> beam.CombineGlobally(duplicates.total).without_defaults()
    )
    return (found, copies) | "AllFound" >> beam.Flatten()


def scan_shard(shard: Shard) -> Iterator[Any]:
    """Yields (split, Moments); as "sizes" ((split, "32x32"), count); as "digests" (bucket, (split, packed))."""
    moments = Moments(np.zeros(shard.class_count, np.int64))
    sizes: Counter[str] = Counter()
    digests: list[bytes] = []
    for images, labels in _runs(shard):
        moments.add(images, labels)
        height, width = images.shape[1:3]
        sizes[f"{height}x{width}"] += len(images)
        digests += map(duplicates.digest, images)
    for bucket, packed in duplicates.pack(digests, shard.first_index):
        yield beam.pvalue.TaggedOutput("digests", (bucket, (shard.split, packed)))
    for size, count in sizes.items():
        yield beam.pvalue.TaggedOutput("sizes", ((shard.split, size), count))
    yield shard.split, moments


def _runs(shard: Shard) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yields images in the stored order, uint8 (n, height, width, 3): as many at a time as follow in one size."""
    batches = read_in_batches(shard.examples, shard.slice, _batch_size(shard))
    for pixels, sizes, labels in batches.prefetch(1).as_numpy_iterator():
        ends = np.cumsum(sizes.prod(axis=1, dtype=np.int64) * 3)
        changes = np.flatnonzero((sizes[1:] != sizes[:-1]).any(axis=1)) + 1
        for start, stop in pairwise([0, *changes.tolist(), len(labels)]):
            height, width = sizes[start].tolist()
            run = pixels[ends[start] - 3 * height * width : ends[stop - 1]]
            yield run.reshape(stop - start, height, width, 3), labels[start:stop]


def _batch_size(shard: Shard) -> int:
    """Returns how many images are decoded at a time. Images of unknown size are taken for common photos."""
    height, width, channels = shard.examples.image_shape
    if height and width:
        return min(_BATCH_IMAGES, max(1, _BATCH_BYTES // (height * width * channels)))
    stored = dataset_reader.stored_bytes_per_example(shard.examples, shard.split)
    return min(_UNSIZED_BATCH_IMAGES, max(1, _UNSIZED_BATCH_STORED_BYTES // max(1, stored)))


def _found(split: str, parts: dict[str, Iterable[Any]]) -> Found:
    (moments,) = parts["moments"]
    return Found(split, moments, {size: count for sizes in parts["sizes"] for count, size in sizes})
