"""Computes the vectors of photos that no run has read, and keeps them below the pipeline root by the photos' bytes.

Photos are read a span at a time, and the vectors lie in a file: memory does not grow with the folder. What is kept is a
cache, safe to delete. A photo that was moved or renamed is not computed again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from components import vector_file
from components.artifacts import Embeddings
from components.backbone.efficientnet_lite import FEATURES, EfficientNetLite
from components.files import digest_file
from components.images.photos import UnreadableError, read_photo
from components.images.resize import crop_and_resize
from components.vector_file import DIGEST_BYTES, VIEWS, ShardVectors

FOLDER = "photo_vectors"  # below the pipeline root
SPAN_PHOTOS = 256
BATCH_PHOTOS = 16

Report = Callable[[int, int], None]  # photos done, of all


class PhotoVectors:
    """The vectors of photos, computed as an `Embeddings` was."""

    def __init__(self, root: Path, like: Embeddings) -> None:
        self._backbone, self._size = like.backbone, like.image_size_pixels
        self._folder = root / FOLDER / f"{like.backbone}-{self._size}-{like.weights_digest[:16]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._embed: Any = None
        self._places = dict(self._kept())

    def _kept(self) -> Iterator[tuple[bytes, tuple[Path, int]]]:
        """Yields the digest of each photo with kept vectors, with their file and their row in it."""
        for file in sorted(self._folder.glob("*.npz")):
            try:
                digests = vector_file.read_digests(file)
            except Exception:  # whatever is wrong with it: its photos are computed again
                continue
            yield from ((digest.tobytes(), (file, row)) for row, digest in enumerate(digests))

    def compute(self, paths: Sequence[Path], report: Report) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Returns the vectors (n, views, features), in a file, and whether each photo could be read, (n,)."""
        file = self._folder / f".{uuid.uuid4().hex}.npy"
        views = open_memmap(file, mode="w+", dtype=np.float16, shape=(len(paths), len(VIEWS), FEATURES))
        file.unlink()  # it stays until it is no longer used
        readable = np.zeros(len(paths), bool)
        for first in range(0, len(paths), SPAN_PHOTOS):
            span = slice(first, first + SPAN_PHOTOS)
            views[span], readable[span] = self._of_span(paths[span])
            report(min(span.stop, len(paths)), len(paths))
        return views, readable

    def _of_span(self, paths: Sequence[Path]) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        views = np.zeros((len(paths), len(VIEWS), FEATURES), np.float16)
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(_digest, paths))
            found = self._take(digests, views)
            missing = [place for place, is_found in enumerate(found) if not is_found]
            images = list(pool.map(lambda place: _read(paths[place], self._size), missing))
        read = [place for place, image in zip(missing, images, strict=True) if image is not None]
        if read:
            views[read] = self._computed([image for image in images if image is not None])
            self._keep([digests[place] for place in read], views[read])
            found[read] = True
        return views, found

    def _take(self, digests: list[bytes], views: NDArray[np.float16]) -> NDArray[np.bool_]:
        """Fills in the vectors that are kept. Returns whether each was, (n,)."""
        found = np.zeros(len(digests), bool)
        wanted = {place: self._places[digest] for place, digest in enumerate(digests) if digest in self._places}
        for file in {file for file, _ in wanted.values()}:
            stored = vector_file.read(file).views
            for place, (its_file, row) in wanted.items():
                if its_file == file:
                    views[place], found[place] = stored[row], True
        return found

    def _computed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float16]:
        """Computes the vectors of images uint8 (size, size, 3). All batches have one size: one graph is made."""
        if self._embed is None:
            network = EfficientNetLite(self._backbone)
            self._embed = tf.function(lambda images: network(tf.cast(images, tf.float32)), autograph=False)
        parts = []
        for first in range(0, len(images), BATCH_PHOTOS):
            batch = np.zeros((BATCH_PHOTOS, *images[0].shape), np.uint8)
            few = images[first : first + BATCH_PHOTOS]
            batch[: len(few)] = few
            seen = [self._embed(tf.constant(view)).numpy() for view in (batch, batch[:, :, ::-1])]
            parts.append(np.stack(seen, axis=1)[: len(few)].astype(np.float16))
        return np.concatenate(parts)

    def _keep(self, digests: list[bytes], views: NDArray[np.float16]) -> None:
        file = self._folder / f"{uuid.uuid4().hex}.npz"
        labels = np.zeros(len(digests), np.int64)
        table = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
        vector_file.write(file, ShardVectors(labels, table, views))
        self._places.update({digest: (file, row) for row, digest in enumerate(digests)})


def _digest(path: Path) -> bytes:
    """Returns the first bytes of the SHA-256 of a file; of one that cannot be read, none."""
    try:
        return bytes.fromhex(digest_file(path))[:DIGEST_BYTES]
    except OSError:
        return b""


def _read(path: Path, size_pixels: int) -> NDArray[np.uint8] | None:
    """Returns the photo as uint8 (size, size, 3), or None if it cannot be read."""
    try:
        photo = read_photo(path, shorter_side_pixels=2 * size_pixels).pixels
    except UnreadableError:
        return None
    image: NDArray[np.uint8] = crop_and_resize(tf.constant(np.asarray(photo)), size_pixels, size_pixels).numpy()
    return image
