"""The order of an epoch whose images are streamed, made so that each of several processes needs files of its own.

An epoch draws an order of the stored files. Their images, one file after the other, are cut into lanes of one length.
A batch takes an image of each lane in turn: lane i has the places i, i + lanes, i + 2 lanes, ... of every batch, which
are those of the share of worker i where there are as many. The order does not depend on how many workers there are: of
8 lanes, each of two workers reads 4, and each of eight reads one. A file that a cut goes through belongs to two lanes.

In a lane, images are shuffled in blocks. An epoch that is resumed begins with a block, and needs no file before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.dataset_reader import Span
from components.train.devices import Share

MAX_LANES = 8


class Stretch(NamedTuple):
    """Consecutive images of a split, in one stored file."""

    span: Span
    start: int  # index of the first in the split

    @property
    def stop(self) -> int:
        """The index of the last in the split, plus 1."""
        return self.start + self.span.stop - self.span.start


class OwnLanes(NamedTuple):
    """The lanes that hold a worker's share of each batch, and perhaps images of others."""

    numbers: range
    share: Share  # of what these lanes have of a batch


def lane_count(batch_size: int, file_count: int) -> int:
    """Returns the largest power of two that divides the batch, up to 8 and to the number of files."""
    return min(math.gcd(batch_size, MAX_LANES), 1 << (file_count.bit_length() - 1))


def own_lanes(share: Share, lanes: int) -> OwnLanes:
    """Returns the lanes that a worker reads. If the number of workers divides that of lanes, no other reads them."""
    groups = math.gcd(share.count, lanes)
    return OwnLanes(range(share.index % groups, lanes, groups), Share(share.index // groups, share.count // groups))


def order_of_lanes(
    files: Sequence[Span],
    batch_size: int,
    lanes: int,
    random: np.random.Generator,
    left_out: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Returns the indices in the split of an epoch's images, int64 (lanes, n), before they are shuffled in blocks.

    Images that fill no batch are left out, those of the file that comes last.

    Args:
        files: the split, cut into spans that each lie in one stored file.
        batch_size: a multiple of `lanes`.
        lanes: their number.
        random: draws the order of the files.
        left_out: bool (count,), images that second turns of others replace: at most half of them.
    """
    starts = _starts(files)
    order = random.permutation(len(files))
    indices = np.concatenate([np.arange(starts[file], starts[file + 1]) for file in order])
    if left_out is not None:
        indices = np.tile(indices[~left_out[indices]], 2)
    used = starts[-1] // batch_size * batch_size
    return indices[:used].reshape(lanes, -1)


def stretches(indices: NDArray[np.int64], files: Sequence[Span]) -> list[Stretch]:
    """Cuts a lane, or its rest, int64 (n,), into the shortest stretches of files that hold its images."""
    starts = _starts(files)
    numbers = np.searchsorted(starts, indices, side="right") - 1
    cuts = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(indices) <= 0)) + 1
    found = []
    for run in filter(len, np.split(np.stack([numbers, indices], axis=1), cuts)):
        (number, first), (_, last) = run[0].tolist(), run[-1].tolist()
        file, offset = files[number], files[number].start - int(starts[number])
        found.append(Stretch(Span(file.split, first + offset, last + 1 + offset), first))
    return found


def _starts(files: Sequence[Span]) -> NDArray[np.int64]:
    """Returns the index in the split of the first image of each file, and the number of all images."""
    return np.cumsum([0] + [file.stop - file.start for file in files])
