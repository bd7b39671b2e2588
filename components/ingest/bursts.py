"""Finds bursts: photos that one camera took within seconds of each other, as the headers of the files say.

The photos of a burst show the same thing: with some in train and others in test, the accuracy flatters the model. A
file takes 16 bytes of memory.
"""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.images.photos import read_exif
from components.images.shot import Shot, shot
from components.ingest.copies import Report, in_threads
from components.ingest.drawing import Photo
from components.ingest.photo_tree import Files

logger = logging.getLogger(__name__)
_LARGEST_FRACTION = 0.1  # of all photos: more at once are a scanner, or a clock that stands still
_LARGEST_FRACTION_OF_CLASS = 0.5  # the rest of the class must do for another split
_NAMED = 3  # photos named in a message


def find_bursts(
    folder: Path, classes: Sequence[Files], gap_seconds: float, report: Report = lambda *_: None
) -> list[list[Photo]]:
    """Returns the photos of each burst, two or more, in the order in which they were taken.

    Files without the time of exposure or without the name of a camera are in none. What would hold more than a tenth
    of all photos, or than half of those of a class, is no burst: a warning says so.

    Args:
        folder: what the paths of the files are relative to.
        classes: the files of each class.
        gap_seconds: the largest time between a photo and the next one of its burst.
        report: called with the number of files whose headers were read, and with their total.
    """
    counts = np.array([len(files) for files in classes])
    labels = np.repeat(np.arange(len(classes)), counts)
    cameras, times_ns = _shots((folder / file for file in chain.from_iterable(classes)), int(counts.sum()), report)
    chains = list(_chains(cameras, times_ns, gap_seconds))
    if large := [indices for indices in chains if _is_too_large(labels[indices], counts)]:
        _warn(folder, classes, large, times_ns, gap_seconds)
    bursts = [indices.tolist() for indices in chains if not _is_too_large(labels[indices], counts)]
    photos = _photos(classes, {index for indices in bursts for index in indices})
    return [[photos[index] for index in indices] for indices in bursts]


def find_cut_bursts(
    folder: Path, splits: Mapping[str, Sequence[Files]], gap_seconds: float, report: Report = lambda *_: None
) -> list[list[tuple[str, str]]]:
    """Returns the bursts whose photos lie in several splits, as (split, file); a warning names some.

    The arguments are those of `find_bursts`, with the files of each class by the name of their split.
    """
    names = [split for split, classes in splits.items() for _ in classes]
    found = find_bursts(folder, list(chain.from_iterable(splits.values())), gap_seconds, report)
    bursts = [[(names[place], file) for place, file in burst] for burst in found]
    cut = [burst for burst in bursts if len({split for split, _ in burst}) > 1]
    if cut:
        _warn_of_cut(folder, cut, gap_seconds)
    return cut


def _warn_of_cut(folder: Path, cut: list[list[tuple[str, str]]], gap_seconds: float) -> None:
    logger.warning(
        "In %s, by EXIF data, %d bursts lie in several splits: one camera took their photos within %g seconds of each "
        "other, such as %s. They show the same thing, so that the evaluation flatters the model. Move each burst into "
        "one split; or set ingest.burst_seconds to 0 if these are none",
        *(folder, len(cut), gap_seconds),
        "; ".join(" and ".join(f"{file!r} ({split})" for split, file in _ends(burst)) for burst in cut[:_NAMED]),
    )


def _ends(burst: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the first photo of a burst, and the first one in another split."""
    return [burst[0], next(photo for photo in burst if photo[0] != burst[0][0])]


def _shots(paths: Iterable[Path], total: int, report: Report) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the number of each file's camera, from 1 on, and when it was taken in nanoseconds; 0: not known."""
    cameras, times_ns = array("q"), array("q")
    numbers: dict[tuple[str, str, str], int] = {}
    for found in in_threads(_read_shot, paths):
        for each in found:
            cameras.append(numbers.setdefault(each.camera, len(numbers) + 1) if each else 0)
            times_ns.append(each.taken_ns if each else 0)
        report(len(cameras), total, "headers read")
    return np.array(cameras, np.int64), np.array(times_ns, np.int64)


def _read_shot(path: Path) -> Shot | None:
    return shot(read_exif(path))


def _chains(cameras: NDArray[np.int64], times_ns: NDArray[np.int64], gap_seconds: float) -> Iterator[NDArray[np.int64]]:
    """Yields the indices of two photos or more that follow each other within the gap, by time."""
    known = np.flatnonzero(cameras)
    order = known[np.lexsort((known, times_ns[known], cameras[known]))]
    is_new = (np.diff(cameras[order]) != 0) | (np.diff(times_ns[order]) > gap_seconds * 1e9)
    bounds = np.concatenate(([0], np.flatnonzero(is_new) + 1, [len(order)]))
    for first in np.flatnonzero(np.diff(bounds) > 1):
        yield order[bounds[first] : bounds[first + 1]]


def _is_too_large(labels: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    """Returns whether photos of these labels are too many for a burst. Two are not, unless they are a whole class."""
    return len(labels) > max(2, _LARGEST_FRACTION * counts.sum()) or any(
        count > max(2, _LARGEST_FRACTION_OF_CLASS * int(counts[label])) or 1 < count == counts[label]
        for label, count in Counter(labels.tolist()).items()
    )


def _warn(
    folder: Path,
    classes: Sequence[Files],
    large: list[NDArray[np.int64]],
    times_ns: NDArray[np.int64],
    gap_seconds: float,
) -> None:
    largest = max(large, key=len)
    some = _photos(classes, set(largest[:_NAMED].tolist())).values()
    ends = (datetime(1970, 1, 1) + timedelta(seconds=int(times_ns[index]) // 10**9) for index in largest[[0, -1]])
    logger.warning(
        "In %s, by EXIF data, one camera took %d photos within %g seconds of each other, from %s to %s%s. This is more "
        "than a tenth of all photos, or than half of a class, and so no burst, but a scanner, a clock that stands "
        "still, or a whole session: they may lie in several splits. For example: %s. If they belong together, name "
        "them in the column group of a .csv file",
        *(folder, len(largest), gap_seconds, *ends),
        f"; {len(large) - 1} more series are like that" if len(large) > 1 else "",
        ", ".join(repr(file) for _, file in some),
    )


def _photos(classes: Sequence[Files], wanted: set[int]) -> dict[int, Photo]:
    """Returns the wanted photos by their index over all classes."""
    named = ((label, file) for label, files in enumerate(classes) for file in files)
    return {index: photo for index, photo in enumerate(named) if index in wanted} if wanted else {}
