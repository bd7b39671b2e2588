"""Finds the vectors that were computed before, in this root, of the same images in the same way.

They lie in the files of earlier attempts, finished or not: each file was written whole. An index of the images in them
is made before the scan. It may be wrong by the time it is used: what it points to is compared again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components import vector_file
from components.artifacts import LOGS, Embeddings
from components.files import write_whole

METHOD = f"{LOGS}/method.txt"  # in an attempt's folder: the digest of all that decides a vector, but for the image
TABLE = "table.npy"  # uint64 (2, images): the first 8 bytes of each digest, sorted; the number of a file, and a row
FILES = "files.json"  # the files, relative to the root
ROW_BITS = 32

logger = logging.getLogger(__name__)


def note_method(attempt: Path, method: str) -> None:
    """Notes in an attempt's folder how its vectors are computed, so that later attempts can take them."""
    (attempt / LOGS).mkdir(exist_ok=True)
    write_whole(attempt / METHOD, method)


def make_index(root: Path, method: str, folder: Path) -> bool:
    """Writes an index of all images with vectors of this method into `folder`; returns whether there are any.

    It takes some 40 bytes of memory an image while it is made, and 16 on disk. Of an image that is there several times,
    the newest vectors count.
    """
    files = list(_files(root, method))
    table = _table(files)
    if not table.size:
        return False
    folder.mkdir(exist_ok=True)
    write_whole(folder / FILES, json.dumps([file.relative_to(root).as_posix() for file in files]))
    draft = folder / f".{uuid.uuid4().hex}.npy"
    np.save(draft, table)
    os.replace(draft, folder / TABLE)
    return True


def _files(root: Path, method: str) -> Iterator[Path]:
    """Yields the files of all attempts with this method, those of the newest attempt first."""
    attempts = []
    for path in root.glob(f"embed/*/attempt-*/{METHOD}"):
        with contextlib.suppress(OSError):  # the clean-up is removing it
            if path.read_bytes() == method.encode():
                attempts.append((path.stat().st_mtime_ns, path.parent.parent))
    for _, attempt in sorted(attempts, reverse=True):
        yield from sorted((attempt / Embeddings.VECTORS).glob("*.npz"))


def _table(files: list[Path]) -> NDArray[np.uint64]:
    parts = [np.empty((2, 0), np.uint64)]
    for number, file in enumerate(files):
        try:
            starts = _starts(vector_file.read_digests(file))
        except Exception as error:  # whatever is wrong with it: its images are computed again
            logger.warning("%s is passed over: %s", file, error)
            continue
        places = np.uint64(number << ROW_BITS) + np.arange(len(starts), dtype=np.uint64)
        parts.append(np.stack([starts, places]))
    table = np.concatenate(parts, axis=1)
    return table[:, np.unique(table[0], return_index=True)[1]]


def fill_in(root: Path, index: Path, digests: NDArray[np.uint8], views: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Fills in the vectors of images that an earlier attempt has computed.

    Args:
        root: the pipeline root.
        index: the folder that `make_index` has written; without one, nothing is known.
        digests: (n, 16), of the images.
        views: (n, views, features): changed where an image is found.

    Returns:
        Whether each image was found, (n,).
    """
    found = np.zeros(len(digests), bool)
    try:
        table = np.load(index / TABLE, mmap_mode="r")
        files = [root / name for name in json.loads((index / FILES).read_bytes())]
    except FileNotFoundError:
        return found
    wanted = _starts(digests)
    columns = np.minimum(np.searchsorted(table[0], wanted), table.shape[1] - 1)
    images = np.flatnonzero(table[0][columns] == wanted)
    places = table[1][columns[images]]
    numbers, rows = places >> ROW_BITS, places & ((1 << ROW_BITS) - 1)
    for number in np.unique(numbers):
        here = numbers == number
        _take(files[number], images[here], rows[here], digests, views, found)
    return found


def _take(
    file: Path,
    images: NDArray[np.int64],
    rows: NDArray[np.uint64],
    digests: NDArray[np.uint8],
    views: NDArray[np.float16],
    found: NDArray[np.bool_],
) -> None:
    """Takes the vectors of some images from the rows of a file, if they are still there."""
    try:
        vectors = vector_file.read(file, with_windows=True)
    except Exception as error:  # whatever is wrong with it: its images are computed again
        logger.warning("%s is passed over: %s", file, error)
        return
    if vectors.views.shape[1] < views.shape[1]:
        return  # it was made with fewer random windows
    is_there = rows < len(vectors.digests)
    images, rows = images[is_there], rows[is_there]
    is_same = (vectors.digests[rows] == digests[images]).all(axis=1)
    images, rows = images[is_same], rows[is_same]
    views[images] = vectors.views[rows, : views.shape[1]]
    found[images] = True


def _starts(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Returns the first 8 bytes of each digest as a number, (n,)."""
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64)[:, 0]
