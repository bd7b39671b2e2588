from __future__ import annotations

import itertools

from pipeline.predict.photo_source import Listed
from pipeline.predict.shards import cut

PHOTOS = [Listed(f"photos/IMG_{number:05d}.jpg", f"1000 {number}") for number in range(20_000)]


def digests(photos: list[Listed], version: str = "v") -> set[str]:
    return {shard.digest for shard in cut(photos, version)}


def test_each_photo_is_in_one_shard_of_a_few_hundred() -> None:
    shards = list(cut(PHOTOS, "v"))
    assert [name for shard in shards for name in shard.names] == [photo.name for photo in PHOTOS]
    assert all(128 <= len(shard.names) <= 512 for shard in shards[:-1])
    assert len({shard.digest for shard in shards}) == len(shards)
    assert list(cut([], "v")) == []


def test_a_photo_more_or_less_or_another_one_changes_few_shards() -> None:
    before = digests(PHOTOS)
    changed = [*PHOTOS[:9000], Listed(PHOTOS[9000].name, "1000 1"), *PHOTOS[9001:]]
    assert len(digests(changed) - before) == 1
    for others in ([Listed("a.jpg", "1 1"), *PHOTOS], PHOTOS[1:], PHOTOS[:9000] + PHOTOS[9001:]):
        assert 1 <= len(digests(others) - before) <= 8


def test_another_version_has_other_shards() -> None:
    assert not digests(PHOTOS[:1000], "v") & digests(PHOTOS[:1000], "w")


def test_a_listing_is_cut_as_it_comes() -> None:
    endless = (Listed(f"{number}.jpg", "") for number in itertools.count())
    assert next(cut(endless, "v")).names[0] == "0.jpg"
