"""Finds images that occur more than once by the digests of their pixels: 24 bytes an image, in packs."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LISTED = 20
DIGEST_BYTES = 16
INDEX_BYTES = 8
ROW_BYTES = DIGEST_BYTES + INDEX_BYTES
# One bucket is sorted at a time; for 14 million images it holds 220,000 digests, which are 5 MB.
_BUCKET_BITS = 6

Copies = dict[str, int]  # of one image, by split: {"train": 2, "test": 1}


class Copied(NamedTuple):
    """An image that occurs more than once."""

    digest: bytes
    copies: Copies
    places: dict[str, int]  # of the first copy in each split: its index there

    @property
    def leaked(self) -> bool:
        """The leak flag: whether an image of the test split is also in another split."""
        return "test" in self.copies and len(self.copies) > 1


@dataclass(frozen=True)
class Duplicates:
    """The number of images that occur more than once, and the first of them."""

    count: int = 0
    leaked_count: int = 0
    first: list[Copied] = field(default_factory=list)  # leaked ones first, then by their digests


def digest(image: NDArray[np.uint8]) -> bytes:
    """Returns 16 bytes that two images share only if they have the same shape and the same pixels."""
    hasher = hashlib.sha256(repr(image.shape).encode(), usedforsecurity=False)  # processors have instructions for it
    hasher.update(np.ascontiguousarray(image).data)
    return hasher.digest()[:DIGEST_BYTES]


def pack(digests: Iterable[bytes], first_index: int) -> Iterator[tuple[int, bytes]]:
    """Returns (bucket, packed): all digests that belong in a bucket, each with its index in the split."""
    buckets: dict[int, bytearray] = defaultdict(bytearray)
    for index, one in enumerate(digests, first_index):
        buckets[one[0] >> (8 - _BUCKET_BITS)] += one + index.to_bytes(INDEX_BYTES, "big")
    return ((bucket, bytes(packed)) for bucket, packed in buckets.items())


def in_bucket(packs: Iterable[tuple[str, bytes]]) -> Duplicates:
    """Finds the duplicates in one bucket, from (split, what `pack` packed)."""
    by_split: dict[str, bytearray] = defaultdict(bytearray)
    for split, packed in packs:
        by_split[split] += packed
    names = sorted(by_split)
    rows = np.frombuffer(b"".join(by_split[name] for name in names), ">u8").reshape(-1, 3)
    splits = np.repeat(np.arange(len(names)), [len(by_split[name]) // ROW_BYTES for name in names])
    order = np.lexsort((rows[:, 2], splits, rows[:, 1], rows[:, 0]))
    rows, splits = rows[order], splits[order]
    starts = np.flatnonzero(np.r_[True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1)])
    lengths = np.diff(starts, append=len(rows))
    more_than_one = np.flatnonzero(lengths > 1)
    images = (
        _copied(rows[start : start + length], [names[split] for split in splits[start : start + length]])
        for start, length in zip(starts[more_than_one], lengths[more_than_one], strict=True)
    )
    return total(Duplicates(1, int(image.leaked), [image]) for image in images)


def _copied(rows: NDArray[np.uint64], splits: list[str]) -> Copied:
    """Makes a Copied of one image's rows, sorted by split and index."""
    places = {split: int(rows[splits.index(split), 2]) for split in dict.fromkeys(splits)}
    return Copied(rows[0, :2].tobytes(), dict(Counter(splits)), places)


def total(parts: Iterable[Duplicates]) -> Duplicates:
    """Adds up all parts, in constant memory."""
    count = leaked_count = 0
    first: list[Copied] = []
    for part in parts:
        count, leaked_count = count + part.count, leaked_count + part.leaked_count
        first += part.first
        if len(first) > 100 * LISTED:
            first = _first(first)
    return Duplicates(count, leaked_count, _first(first))


def _first(images: list[Copied]) -> list[Copied]:
    return sorted(images, key=lambda image: (not image.leaked, image.digest))[:LISTED]
