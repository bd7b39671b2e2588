"""Reads single images of a split by their index in it. Stored files that hold none of them are not opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Examples
from components.dataset_reader import Span, file_spans, read_chosen


@dataclass(frozen=True)
class ChosenImage:
    """One image of a split."""

    index: int  # in the split's order
    pixels: NDArray[np.uint8]  # (height, width, 3), 0-255, RGB, as stored
    file: str  # relative to the source of the photos; empty if the dataset was not made of files


def read_images(examples: Examples, split: str, indices: Iterable[int]) -> Iterator[ChosenImage]:
    """Yields the images of a split ("train", "validation" or "test") at `indices`, each once, in the split's order.

    What is stored between them is read, and not decoded.
    """
    wanted = np.unique(np.fromiter(indices, np.int64))
    if not len(wanted):
        return
    images = read_chosen(examples, *chosen_slice(examples, split, wanted)).as_numpy_iterator()
    for index, (pixels, file) in zip(wanted, images, strict=True):
        yield ChosenImage(int(index), pixels, file.decode())


def chosen_slice(examples: Examples, split: str, indices: NDArray[np.int64]) -> tuple[str, NDArray[np.bool_]]:
    """Returns a slice that holds the examples at `indices`, and which of its examples they are, bool (n,).

    `indices` ascend, and there is at least one. Of each stored file, the slice begins with the first of them and ends
    with the last one.
    """
    parts, masks, passed = [], [], 0
    for span in file_spans(examples, split):
        length = span.stop - span.start
        inside = indices[(indices >= passed) & (indices < passed + length)] - passed
        passed += length
        if len(inside):
            first, last = int(inside[0]), int(inside[-1])
            parts.append(Span(span.split, span.start + first, span.start + last + 1).slice)
            masks.append(np.isin(np.arange(first, last + 1), inside))
    return "+".join(parts), np.concatenate(masks)
