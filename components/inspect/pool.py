"""Takes the images of several splits as one set, numbered from 0, without copying their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from components.findings import ImageReference
from components.inspect.vectors import SplitVectors

BLOCK_IMAGES = 4096


class Pool:
    """The images of all splits, in the order in which the splits are given."""

    def __init__(self, splits: Sequence[SplitVectors]) -> None:
        self._splits = splits
        self._starts = np.cumsum([0, *(len(split.labels) for split in splits)])
        self.labels: NDArray[np.int64] = np.concatenate([np.zeros(0, np.int64), *(split.labels for split in splits)])

    def __len__(self) -> int:
        return len(self.labels)

    def number(self, split: str, index: int) -> int:
        """Returns the number of the image at `index` of a split."""
        place = [each.split for each in self._splits].index(split)
        return int(self._starts[place]) + index

    def reference(self, number: int) -> ImageReference:
        """Returns the reference to an image."""
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._splits[place].reference(number - int(self._starts[place]))

    def features(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Computes the mean over the views of some images, (n, features). The numbers rise."""
        bounds = np.searchsorted(numbers, self._starts)
        parts = [
            mean_view(split.views[numbers[first:last] - start])
            for split, start, first, last in zip(self._splits, self._starts[:-1], bounds[:-1], bounds[1:], strict=True)
        ]
        return np.concatenate(parts)

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yields spans of the images, which follow one another, with their features as in `features`."""
        for split, start in zip(self._splits, self._starts[:-1].tolist(), strict=True):
            for first in range(0, len(split.labels), BLOCK_IMAGES):
                features = mean_view(split.views[first : first + BLOCK_IMAGES])
                yield slice(start + first, start + first + len(features)), features


def mean_view(views: NDArray[np.float16]) -> NDArray[np.float32]:
    """Computes (n, features) from (n, views, features)."""
    mean: NDArray[np.float32] = views.astype(np.float32).mean(axis=1)  # float16 adds up slowly
    return mean
