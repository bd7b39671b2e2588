"""Draws splits of which none cuts a unit: photos that belong together, as copies do, bursts, or photos of one patient.

The splits are those that slices of the photos' order would make, as far as units allow: the last tenth of that order is
the test split, for example. A unit that holds more than a twentieth of its class is placed as far from there as can
be, so that it does not fill a small split.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from components.ingest.photo_tree import Files, order_key

_LARGE_FRACTION = 0.05
MAX_DRAWN_IMAGES = 50_000  # in a split besides train: an accuracy is then known to 0.4 points, 95 times in 100

Photo = tuple[int, str]  # the index of its class, and its path
Unit = tuple[Photo, ...]


def draw(classes: Sequence[Files], units: Iterable[Unit], percents: Mapping[str, int]) -> dict[str, list[Files]]:
    """Divides the files of each class into splits.

    Args:
        classes: the files of each class.
        units: the units of two photos or more; each photo is in one of them at most.
        percents: of all photos, by split; the first split is the largest and takes what the others leave. They get
            `MAX_DRAWN_IMAGES` at most, or half a unit more.

    Raises:
        ValueError: there are fewer units and single photos than splits.
    """
    total = sum(map(len, classes))
    names = {split: [bytearray() for _ in classes] for split in percents}
    split_of = _filler(total, percents)
    for unit in _in_order(classes, list(units)):
        part = names[split_of(len(unit))]
        for label, file in unit:
            part[label] += os.fsencode(file[_prefix(classes[label]) :]) + b"\0"
    empty = [split for split, of_split in names.items() if not any(of_split)]
    if empty:
        raise ValueError(
            f"of {total} photos, too many belong together, as copies, groups or bursts, to leave any for the split "
            f"{empty[0]}; add others, set ingest.burst_seconds to 0 if these are bursts, or name the split of each "
            "photo in folders or in the column split"
        )
    return {
        split: [_sorted(files.folder, bytes(block)) for files, block in zip(classes, of_split, strict=True)]
        for split, of_split in names.items()
    }


def _filler(total: int, percents: Mapping[str, int]) -> Callable[[int], str]:
    """Returns a function that names the split of the next unit, given its size: the last split is filled first."""
    largest, *small = percents
    left = {split: min(total * percents[split] / 100, MAX_DRAWN_IMAGES) for split in small}
    taken: Counter[str] = Counter()

    def split_of(size: int) -> str:
        while small:
            split = small[-1]
            if not taken[split] or taken[split] + size / 2 <= left[split]:
                taken[split] += size
                return split
            small.pop()
        return largest

    return split_of


def _in_order(classes: Sequence[Files], units: list[Unit]) -> Iterator[Unit]:
    """Yields all units, and single photos as units of one, from the last to the first place of the photos' order."""
    in_units = {photo for unit in units for photo in unit}
    homes: dict[int, list[Unit]] = {label: [] for label in range(len(classes))}
    for unit in units:
        homes[Counter(label for label, _ in unit).most_common(1)[0][0]].append(unit)
    placed = (_placed(label, files, in_units, homes[label]) for label, files in enumerate(classes))
    return (unit for *_, unit in heapq.merge(*placed))


def _placed(label: int, files: Files, in_units: set[Photo], units: list[Unit]) -> Iterator[tuple[float, int, Unit]]:
    """Yields the units of one class, each with its place on a line from 0 to 1."""
    count = len(files) - sum((label, file) in in_units for file in files) + sum(map(len, units))
    large = sorted((unit for unit in units if len(unit) > _LARGE_FRACTION * count), key=lambda unit: (len(unit), unit))
    small = sorted((_unit_key(unit), unit) for unit in units if len(unit) <= _LARGE_FRACTION * count)
    photos = ((label, file) for file in reversed(files))
    singles = ((order_key(photo[1]), (photo,)) for photo in photos if photo not in in_units)
    done = 0
    for unit in chain((unit for _, unit in heapq.merge(singles, reversed(small), reverse=True)), large):
        yield (done + len(unit) / 2) / count, -label, unit
        done += len(unit)


def _unit_key(unit: Unit) -> bytes:
    """Returns a place in the order that does not depend on the unit's size."""
    return hashlib.sha256(min(order_key(file) for _, file in unit)).digest()


def _prefix(files: Files) -> int:
    """Returns the length of what comes before the relative names of the files."""
    return len(os.path.join(files.folder, ""))


def _sorted(folder: str, names: bytes) -> Files:
    """Returns the files in the order in which files are stored."""
    paths = sorted(Files(folder, names.count(b"\0"), names), key=order_key)
    return Files.of(folder, (path[len(os.path.join(folder, "")) :] for path in paths))
