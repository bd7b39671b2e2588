"""Cuts a listing of photos into shards that stay what they are while photos come and go elsewhere in the listing."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.predict.photo_source import Listed

_FEWEST, _MOST = 128, 512  # photos of a shard, but for the last one
_ONE_IN = 128  # names that end a shard which has photos enough
_METHOD = 1  # counted up when rows are made in another way


class Shard(NamedTuple):
    """Photos that a worker reads one after the other, and that become the rows of one file."""

    digest: str  # of the version, and of the names and states of the photos
    names: tuple[str, ...]


def cut(photos: Iterable[Listed], version_digest: str) -> Iterator[Shard]:
    """Yields the shards of a listing. Only one is in memory.

    The names say where one ends: a photo more, or less, changes the shard that it lies in, and perhaps the next one.
    """
    shard: list[Listed] = []
    for photo in photos:
        shard.append(photo)
        if len(shard) >= _MOST or (len(shard) >= _FEWEST and zlib.crc32(os.fsencode(photo.name)) % _ONE_IN == 0):
            yield _close(shard, version_digest)
            shard = []
    if shard:
        yield _close(shard, version_digest)


def _close(shard: list[Listed], version_digest: str) -> Shard:
    decides = json.dumps([_METHOD, version_digest, shard]).encode()
    return Shard(hashlib.sha256(decides).hexdigest()[:32], tuple(photo.name for photo in shard))
