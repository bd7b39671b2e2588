"""Finds what a published version said of an image when it was evaluated, so that its network need not say it again.

The same SavedModel gives the same answer to the same pixels. Images are known by a digest of those pixels, in whatever
split or dataset they are now.
"""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components import vector_file

DIGEST, PROBABILITIES = "digest", "probabilities"  # columns in the files
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)  # gone, damaged, or of an older form


def digests(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the digests, uint8 (n, 16), of images (n, height, width, 3)."""
    found = [vector_file.digest(image.tobytes()) for image in images]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, vector_file.DIGEST_BYTES)


class KnownPredictions:
    """The predictions in an evaluation's folder `predictions/`. What cannot be read there is not known.

    Some 300 bytes an image are held in memory, and the probabilities of one file.
    """

    def __init__(self, folder: Path) -> None:
        self._places: dict[bytes, tuple[Path, int]] = {}
        for file in sorted(folder.glob("*.npz")):
            stored = _column(file, DIGEST)
            self._places.update(
                (row.tobytes(), (file, index)) for index, row in enumerate(() if stored is None else stored)
            )

    def find(self, image_digests: NDArray[np.uint8]) -> dict[int, NDArray[np.float32]]:
        """Returns the probabilities, float32 (classes,), of those images that are known, by their row."""
        places: dict[Path, list[tuple[int, int]]] = {}  # by file, so that each is read once, whatever the order
        for row, digest in enumerate(image_digests):
            if (place := self._places.get(digest.tobytes())) is not None:
                places.setdefault(place[0], []).append((row, place[1]))
        columns = ((_column(file, PROBABILITIES), rows) for file, rows in places.items())
        return {row: column[index] for column, rows in columns if column is not None for row, index in rows}


@functools.lru_cache(maxsize=1)
def known_predictions(folder: Path) -> KnownPredictions:
    """Reads which images are known, once per process and folder."""
    return KnownPredictions(folder)


def _column(file: Path, name: str) -> NDArray[np.generic] | None:
    try:
        with np.load(file) as columns:
            return columns[name]
    except _UNREADABLE:
        return None
