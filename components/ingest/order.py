"""Defines the order in which examples are stored: shuffled, but with every class evenly spread over every slice."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Some = TypeVar("Some", covariant=True)


class Countable(Protocol[Some]):
    """Items that can be counted and iterated over."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Some]: ...


def interleave(classes: Sequence[Countable[Item]]) -> Iterator[tuple[int, Item]]:
    """Yields (class, item), with each class spread evenly from the first to the last place.

    Classes of the same size take turns: their counts in any slice differ by one at most.
    """
    return ((label, item) for _, label, item in heapq.merge(*map(_placed, range(len(classes)), classes)))


def _placed(label: int, items: Countable[Item]) -> Iterator[tuple[float, int, Item]]:
    """Yields each item with its place on a line from 0 to 1."""
    return (((2 * rank + 1) / (2 * len(items)), label, item) for rank, item in enumerate(items))
