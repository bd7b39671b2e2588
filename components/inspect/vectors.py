"""Reads the stored vectors of one split."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components import vector_file
from components.artifacts import Embeddings
from components.findings import ImageReference
from components.inspect.allocation import allocate


class SplitVectors(NamedTuple):
    """What embed has stored of a split, in its order."""

    split: str
    labels: NDArray[np.int64]  # (n,)
    digests: NDArray[np.uint8]  # (n, 16), of the images' bytes as stored
    views: NDArray[np.float16]  # (n, 2, features): of the image, and of its mirror image

    def reference(self, index: int) -> ImageReference:
        """Returns the reference to the image at `index`, without the name of its file."""
        label, digest = int(self.labels[index]), self.digests[index].tobytes().hex()
        return ImageReference(split=self.split, index=index, label=label, digest=digest)


def read_vectors(embeddings: Embeddings, split: str, folder: Path | None = None) -> SplitVectors:
    """Reads all vectors of a split that was embedded; with a folder, into a file there in place of memory."""
    labels: list[NDArray[np.int64]] = []
    digests: list[NDArray[np.uint8]] = []
    views: NDArray[np.float16] | None = None
    for shard in map(vector_file.read, embeddings.files(split)):
        if views is None:
            views = allocate((embeddings.image_counts[split], *shard.views.shape[1:]), shard.views.dtype, folder)
        first = sum(len(part) for part in labels)
        views[first : first + len(shard.labels)] = shard.views
        labels.append(shard.labels)
        digests.append(shard.digests)
    assert views is not None, f"{split} was not embedded"
    return SplitVectors(split, np.concatenate(labels), np.concatenate(digests), views)
