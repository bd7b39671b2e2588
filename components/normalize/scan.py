"""The pass over the images, on Beam: each image is decoded once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from components import reading
from components.artifacts import Examples
from components.normalize.moments import Moments, total

IMAGE_SIZES = 100  # listed, of each split
DUPLICATES = 20  # listed
_BATCH_BYTES = 1 << 20
_BATCH_IMAGES = 64


@dataclass(frozen=True)
class Shard:
    """Consecutive images of one split."""

    examples: Examples
    split: str
    slice: str  # in TFDS's syntax


@dataclass(frozen=True)
class Found:
    """What one split holds."""

    split: str
    moments: Moments
    image_sizes: dict[str, int]  # the most frequent ones


@dataclass
class Duplicates:
    """Images that occur more than once."""

    count: int = 0
    leaked_count: int = 0
    first: list[tuple[bytes, dict[str, int]]] = field(default_factory=list)  # digest; copies by split


def plan(examples: Examples, examples_per_shard: int) -> Iterator[Shard]:
    """The shards of every split."""
    for split in examples.splits:
        for span in reading.shard_spans(examples, split, examples_per_shard):
            yield Shard(examples, split, span.slice)


def scan(shards: beam.PCollection) -> beam.PCollection:
    """One `Found` per split, and `Duplicates` if there are any."""
    scanned = shards | "ScanImages" >> beam.ParDo(scan_shard).with_outputs("sizes", "digests", main="moments")
    moments = scanned.moments | "AddMoments" >> beam.CombinePerKey(total)
    sizes = (
        scanned.sizes
        | "CountSizes" >> beam.CombinePerKey(sum)
        | "KeyBySplit" >> beam.MapTuple(lambda key, count: (key[0], (count, key[1])))
        | "MostFrequentSizes" >> beam.combiners.Top.PerKey(IMAGE_SIZES)
    )
    found = {"moments": moments, "sizes": sizes} | beam.CoGroupByKey() | "Found" >> beam.MapTuple(_found)
    duplicates = (
        scanned.digests
        | "CountCopies" >> beam.CombinePerKey(CopiesFn())
        | "MoreThanOne" >> beam.Filter(lambda image: sum(image[1].values()) > 1)
        | "Duplicates" >> beam.CombineGlobally(DuplicatesFn()).without_defaults()
    )
    return (found, duplicates) | "AllFound" >> beam.Flatten()


def scan_shard(shard: Shard) -> Iterator[Any]:
    """(split, Moments); tagged "sizes": ((split, "32x32"), count); tagged "digests": (digest, split)."""
    moments = Moments(np.zeros(len(shard.examples.class_names), np.int64))
    sizes: Counter[str] = Counter()
    for images, labels in _batches(shard):
        moments.add(images, labels)
        height, width = images.shape[1:3]
        sizes[f"{height}x{width}"] += len(images)
        for image in images:
            yield beam.pvalue.TaggedOutput("digests", (digest(image), shard.split))
    for size, count in sizes.items():
        yield beam.pvalue.TaggedOutput("sizes", ((shard.split, size), count))
    yield shard.split, moments


def digest(image: NDArray[np.uint8]) -> bytes:
    """16 bytes that two images share only if they have the same shape and the same pixels."""
    hasher = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    hasher.update(image.tobytes())
    return hasher.digest()


def _batches(shard: Shard) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images of one size are stacked, uint8 (n, height, width, 3); where sizes differ they come one by one."""
    height, width, channels = shard.examples.image_shape
    batch_size = 1
    if height and width:
        batch_size = min(_BATCH_IMAGES, max(1, _BATCH_BYTES // (height * width * channels)))
    batches = reading.read(shard.examples, shard.slice).batch(batch_size)
    yield from batches.prefetch(1).as_numpy_iterator()


def _found(split: str, parts: dict[str, Iterable[Any]]) -> Found:
    (moments,) = parts["moments"]
    return Found(split, moments, {size: count for sizes in parts["sizes"] for count, size in sizes})


class CopiesFn(beam.CombineFn):
    """How often each split has an image: {"train": 2, "blessing": 1}."""

    def create_accumulator(self) -> Counter[str]:
        """No copies yet."""
        return Counter()

    def add_input(self, copies: Counter[str], split: str) -> Counter[str]:
        """One more copy."""
        copies[split] += 1
        return copies

    def merge_accumulators(self, parts: Iterable[Counter[str]]) -> Counter[str]:
        """All copies."""
        return sum(parts, Counter())

    def extract_output(self, copies: Counter[str]) -> dict[str, int]:
        """Sorted by split."""
        return dict(sorted(copies.items()))


class DuplicatesFn(beam.CombineFn):
    """Counts duplicated images and keeps the first few: leaked ones first, then in the order of their digests."""

    def create_accumulator(self) -> Duplicates:
        """None yet."""
        return Duplicates()

    def add_input(self, duplicates: Duplicates, image: tuple[bytes, dict[str, int]]) -> Duplicates:
        """One more duplicated image."""
        return self.merge_accumulators([duplicates, Duplicates(1, int(leaked(image[1])), [image])])

    def merge_accumulators(self, parts: Iterable[Duplicates]) -> Duplicates:
        """All of them."""
        parts = list(parts)
        first = sorted((image for part in parts for image in part.first), key=lambda i: (not leaked(i[1]), i[0]))
        return Duplicates(
            count=sum(part.count for part in parts),
            leaked_count=sum(part.leaked_count for part in parts),
            first=first[:DUPLICATES],
        )

    def extract_output(self, duplicates: Duplicates) -> Duplicates:
        """As it is."""
        return duplicates


def leaked(copies: dict[str, int]) -> bool:
    """Whether an image of the blessing split is also in another one."""
    return "blessing" in copies and len(copies) > 1
