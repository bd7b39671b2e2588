"""Hands out findings that nobody has decided yet, to several people at once."""

from __future__ import annotations

import bisect
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import chain, islice
from typing import NamedTuple

from components.corrections_file import find_file
from pipeline.review.decisions import Decisions
from pipeline.review.opening import Item, Review

HELD_SECONDS = 300.0  # for so long nobody else is asked what one person looks at


class Filter(NamedTuple):
    """Which findings a person wants to see."""

    kind: str = ""  # empty: all
    label: str = ""  # of one of the photos, or the better one; empty: any

    def fits(self, item: Item) -> bool:
        """Returns whether a finding is asked for."""
        has_label = not self.label or self.label in (*item.labels, item.better_label)
        return self.kind in ("", item.kind) and has_label


class Progress(NamedTuple):
    """How far the findings of a filter are decided."""

    left: int
    decided: int


class Queue:
    """The findings in their order, with whoever looks at each. Threads may share it."""

    def __init__(self, review: Review, decisions: Decisions, clock: Callable[[], float] = time.monotonic) -> None:
        self._review, self._decisions, self._clock = review, decisions, clock
        self._held: dict[int, tuple[str, float]] = {}  # by number: the person, and since when
        self._lock = threading.Lock()
        self._numbers: dict[str, list[int]] = defaultdict(list)  # by file, of the findings about it
        for number, item in enumerate(review.items):
            for name in item.files:
                self._numbers[name].append(number)
        self._forget()

    def next(self, person: str, chosen: Filter, after: int = -1) -> tuple[list[int], Progress]:
        """Returns the numbers of the next two undecided findings, or fewer, and how far the review is.

        Those after the number `after` come first, then those from the beginning. What somebody else looks at comes
        last. The first of the two is held for this person.
        """
        with self._lock:
            self._update()
            fitting = [number for number, item in enumerate(self._review.items) if chosen.fits(item)]
            open_ = [number for number in fitting if number not in self._decided]
            later = bisect.bisect_right(open_, after)
            turned = open_[later:] + open_[:later]
            free = (number for number in turned if not self._is_held(number, person))
            held = (number for number in turned if self._is_held(number, person))
            found = list(islice(filter(self._is_there, chain(free, held)), 2))
            if found:
                self._held = {number: holder for number, holder in self._held.items() if holder[0] != person}
                self._held[found[0]] = person, self._clock()
            return found, Progress(len(open_), len(fitting) - len(open_))

    def _forget(self) -> None:
        self._decided: set[int] = set()
        self._lines, self._changes = 0, self._decisions.changes

    def _update(self) -> None:
        """Looks again at the findings about which there are new lines."""
        self._decisions.refresh()
        if self._changes != self._decisions.changes:
            self._forget()
        new = self._decisions.since(self._lines)
        self._lines += len(new)
        for number in {number for each in new for name in each.subject for number in self._numbers.get(name, [])}:
            if self._decisions.is_decided(self._review.items[number]):
                self._decided.add(number)
            else:
                self._decided.discard(number)

    def _is_held(self, number: int, person: str) -> bool:
        holder, since = self._held.get(number, (person, 0.0))
        return holder != person and self._clock() - since < HELD_SECONDS

    def _is_there(self, number: int) -> bool:
        """Returns whether the photos of a finding are still there."""
        return all(find_file(self._review.folder, name).is_file() for name in self._review.items[number].files)
