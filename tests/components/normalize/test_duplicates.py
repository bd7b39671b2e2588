from __future__ import annotations

import numpy as np
import pytest

from components.normalize.duplicates import LISTED, Copied, Duplicates, digest, in_bucket, pack, total


def found(**splits: list[bytes]) -> Duplicates:
    """Of digests by split, through all buckets."""
    buckets: dict[int, list[tuple[str, bytes]]] = {}
    for split, digests in splits.items():
        for bucket, packed in pack(digests, first_index=0):
            buckets.setdefault(bucket, []).append((split, packed))
    return total(map(in_bucket, buckets.values()))


def digests(count: int, seed: int = 0) -> list[bytes]:
    return [bytes(row) for row in np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)]


def test_a_digest_stands_for_shape_and_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    other = image.copy()
    other[3, 3, 2] ^= 1
    assert digest(image) == digest(np.asfortranarray(image))
    assert len({digest(image), digest(other), digest(image.reshape(2, 8, 3))}) == 3


def test_a_bucket_holds_what_begins_alike() -> None:
    first, last, second = b"\x00" + b"a" * 15, b"\xff" + b"b" * 15, b"\x01" + b"c" * 15
    packs = dict(pack([first, last, second], first_index=254))
    assert packs == {0: first + bytes(7) + b"\xfe" + second + bytes(6) + b"\x01\x00", 63: last + bytes(7) + b"\xff"}


def test_copies_are_counted_by_split() -> None:
    one, two, three, *rest = digests(1000)
    copies = found(train=[one, one, two, *rest], validation=[three], test=[two, three, *digests(100, seed=1)])
    assert copies == Duplicates(
        count=3,
        leaked_count=2,
        first=[
            *sorted(
                [
                    Copied(two, {"test": 1, "train": 1}, {"test": 0, "train": 2}),
                    Copied(three, {"test": 1, "validation": 1}, {"test": 1, "validation": 0}),
                ]
            ),
            Copied(one, {"train": 2}, {"train": 0}),
        ],
    )


@pytest.mark.parametrize("place", range(16))
def test_every_byte_counts(place: int) -> None:
    one = bytearray(16)
    one[place] = 1
    assert found(train=[bytes(16), bytes(one)]) == Duplicates()


def test_only_the_first_are_listed() -> None:
    copied = digests(5000)
    copies = found(train=copied, test=copied)
    assert (copies.count, copies.leaked_count, len(copies.first)) == (5000, 5000, LISTED)
    assert [image.digest for image in copies.first] == sorted(copied)[:LISTED]
