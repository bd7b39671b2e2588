"""Images that occur more than once, found by the digests of their pixels: 16 bytes an image, in packs."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LISTED = 20
DIGEST_BYTES = 16
# A bucket is sorted at a time; of 14 million images it holds 220,000 digests, which are 3.5 MB.
_BUCKET_BITS = 6

Copies = dict[str, int]  # of one image, by split: {"train": 2, "blessing": 1}


@dataclass(frozen=True)
class Duplicates:
    """Images that occur more than once."""

    count: int = 0
    leaked_count: int = 0
    first: list[tuple[bytes, Copies]] = field(default_factory=list)  # leaked ones first, then by their digests


def digest(image: NDArray[np.uint8]) -> bytes:
    """16 bytes that two images share only if they have the same shape and the same pixels."""
    hasher = hashlib.blake2b(repr(image.shape).encode(), digest_size=DIGEST_BYTES)
    hasher.update(image.tobytes())
    return hasher.digest()


def pack(digests: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(bucket, the digests that belong there, one after the other)."""
    buckets: dict[int, bytearray] = defaultdict(bytearray)
    for one in digests:
        buckets[one[0] >> (8 - _BUCKET_BITS)] += one
    return ((bucket, bytes(packed)) for bucket, packed in buckets.items())


def in_bucket(packs: Iterable[tuple[str, bytes]]) -> Duplicates:
    """Of (split, digests) that all lie in one bucket."""
    by_split: dict[str, bytearray] = defaultdict(bytearray)
    for split, packed in packs:
        by_split[split] += packed
    names = sorted(by_split)
    digests = np.frombuffer(b"".join(by_split[name] for name in names), ">u8").reshape(-1, 2)
    splits = np.repeat(np.arange(len(names)), [len(by_split[name]) // DIGEST_BYTES for name in names])
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    digests, splits = digests[order], splits[order]
    starts = np.flatnonzero(np.r_[True, (digests[1:] != digests[:-1]).any(axis=1)])
    lengths = np.diff(starts, append=len(digests))
    more_than_one = np.flatnonzero(lengths > 1)
    images = (
        (digests[start].tobytes(), _copies(splits[start : start + length], names))
        for start, length in zip(starts[more_than_one], lengths[more_than_one], strict=True)
    )
    return total(Duplicates(1, int(leaked(copies)), [(one, copies)]) for one, copies in images)


def _copies(splits: NDArray[np.int64], names: list[str]) -> Copies:
    return dict(sorted(Counter(names[split] for split in splits).items()))


def total(parts: Iterable[Duplicates]) -> Duplicates:
    """All of them, in constant memory."""
    count = leaked_count = 0
    first: list[tuple[bytes, Copies]] = []
    for part in parts:
        count, leaked_count = count + part.count, leaked_count + part.leaked_count
        first += part.first
        if len(first) > 100 * LISTED:
            first = _first(first)
    return Duplicates(count, leaked_count, _first(first))


def _first(images: list[tuple[bytes, Copies]]) -> list[tuple[bytes, Copies]]:
    return sorted(images, key=lambda image: (not leaked(image[1]), image[0]))[:LISTED]


def leaked(copies: Copies) -> bool:
    """Whether an image of the blessing split is also in another one."""
    return "blessing" in copies and len(copies) > 1
