"""Writes and reads a file of stored vectors: for each image of a shard its label, the digest of its content, and its
vectors. Embed writes them; others read them by `Embeddings.files`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.files import write_arrays

VIEWS = ("center", "mirror")  # what the network is shown of an image: the centered crop, and its mirror image
WINDOWS = "windows"  # the column of all random windows
DIGEST_BYTES = 16


class ShardVectors(NamedTuple):
    """What the file of a shard holds, in the order of the split."""

    labels: NDArray[np.int64]  # (n,)
    digests: NDArray[np.uint8]  # (n, 16), of the images' bytes as stored
    views: NDArray[np.float16]  # (n, views, features): of VIEWS, and then of random windows, if there are any


def digest(stored: bytes) -> bytes:
    """Returns the first 16 bytes of the SHA-256 of an image's bytes as stored."""
    return hashlib.sha256(stored).digest()[:DIGEST_BYTES]


def write(path: Path, vectors: ShardVectors) -> None:
    """Writes the file; the same vectors give the same bytes."""
    columns = {"label": vectors.labels, "digest": vectors.digests}
    columns.update((name, vectors.views[:, number]) for number, name in enumerate(VIEWS))
    if vectors.views.shape[1] > len(VIEWS):
        columns[WINDOWS] = vectors.views[:, len(VIEWS) :]
    write_arrays(path, columns)


def read_digests(path: Path) -> NDArray[np.uint8]:
    """Reads the digests (n, 16). Raises an exception of any kind if the file is gone or damaged."""
    with np.load(path) as columns:
        digests: NDArray[np.uint8] = columns["digest"]
        return digests


def read(path: Path, *, with_windows: bool = False) -> ShardVectors:
    """Reads the file, with the vectors of the random windows if they are asked for.

    Raises an exception of any kind if it is gone or damaged: each column has a checksum.
    """
    with np.load(path) as columns:
        views = np.stack([columns[name] for name in VIEWS], axis=1)
        if with_windows and WINDOWS in columns:
            views = np.concatenate([views, columns[WINDOWS]], axis=1)
        return ShardVectors(columns["label"], columns["digest"], views)
