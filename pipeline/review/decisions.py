"""What people have decided about the photos of a source, as the file of corrections says at this moment."""

from __future__ import annotations

import datetime
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from components.corrections_file import (
    ADD,
    OF_PAIRS,
    UNDONE,
    Correction,
    append_corrections,
    find_file,
    read_corrections,
)
from components.corrections_place import Place, state
from components.files import digest_file
from pipeline.review.opening import UNLABELED, Item

# What a decision that was taken back leaves: an unlabeled photo outside, anything else as it was.
NEUTRAL = {ADD: "leave_out", "same": "not_same", "not_same": "not_same"}


def now() -> str:
    """Returns the time as ISO 8601, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


class Decisions:
    """The decisions in a file, to which other processes append as well. Threads may share it.

    A decision about a photo that has other bytes since does not count: it was about another photo.
    """

    def __init__(self, place: Place, folder: Path, clock: Callable[[], str] = now) -> None:
        self._place, self._folder, self._clock = place, folder, clock
        self._lock = threading.RLock()
        self._seen: tuple[int, ...] | None = None  # the file's state as it was read
        self._read: tuple[Correction, ...] = ()
        self._lines: dict[tuple[str, ...], list[Correction]] = {}  # by subject
        self.changes = 0  # how often the file was changed otherwise than by further lines
        self._named: frozenset[str] = frozenset()
        self._pairs_with: dict[str, list[tuple[str, ...]]] = {}  # by name: the pairs about which there are lines
        self._digests: dict[str, tuple[tuple[int, int], str]] = {}  # by name: the photo's state, and its SHA-256

    def refresh(self) -> None:
        """Reads the file again if it has changed. Raises ComponentError if somebody has spoiled it."""
        with self._lock:
            seen = state(self._place)
            if seen == self._seen:
                return
            read = read_corrections(self._place).decisions
            lines: dict[tuple[str, ...], list[Correction]] = defaultdict(list)
            for each in read:
                lines[each.subject].append(each)
            self.changes += read[: len(self._read)] != self._read
            self._read, self._lines, self._seen = read, dict(lines), seen
            self._named = frozenset(name for subject in lines for name in subject)
            self._pairs_with = defaultdict(list)
            for subject in lines:
                for name in set(subject) if len(set(subject)) > 1 else ():
                    self._pairs_with[name].append(subject)

    def since(self, count: int) -> tuple[Correction, ...]:
        """Returns the decisions after the first `count`, whether they still count or not."""
        return self._read[count:]

    def standing(self, *subject: str) -> list[Correction]:
        """Returns the decisions about a photo, or two, that were not taken back, the one that counts last."""
        with self._lock:
            found: list[Correction] = []
            for each in self._about(subject):
                if each.why != UNDONE:
                    found.append(each)
                elif found:
                    found.pop()
            return found

    def _about(self, subject: tuple[str, ...]) -> list[Correction]:
        """Returns the lines about a photo, or two, as they are now."""
        lines = self._lines.get(tuple(sorted(subject)), [])
        return [each for each in lines if each.sha256 == self.digest(each.file)]

    def of_file(self, name: str) -> Correction | None:
        """Returns the decision about a photo that counts, or None."""
        standing = self.standing(name)
        return standing[-1] if standing else None

    def is_left_out(self, name: str) -> bool:
        """Returns whether the photo is left out."""
        decision = self.of_file(name)
        return decision is not None and decision.decision == "leave_out"

    def is_decided(self, item: Item) -> bool:
        """Returns whether nothing is left to decide about a finding.

        Of near copies, each photo that is not left out must be the same as another one, or not.
        """
        if self._named.isdisjoint(item.files):
            return False
        if item.kind != "near_copy":
            return self.of_file(item.files[0]) is not None
        left = [name for name in item.files if not self.is_left_out(name)]
        paired = {name for pair in self._pairs(item) if self.standing(*pair) for name in pair}
        return len(left) < 2 or paired.issuperset(left)

    def is_doubted(self, item: Item) -> bool:
        """Returns whether somebody has said of two photos of a finding that they are not the same, or took it back."""
        return any(lines and lines[-1].decision == "not_same" for lines in map(self._about, self._pairs(item)))

    def parts(self, item: Item) -> list[list[str]]:
        """Returns the photos of near copies that are not left out, those in one list that were said to be the same.

        The lists and the names in them are sorted. A photo that cannot be read is in none.
        """
        part_of = {name: [name] for name in set(item.files) if self.digest(name) and not self.is_left_out(name)}
        for one, other in self._pairs(item):
            standing = self.standing(one, other) if one in part_of and other in part_of else []
            if standing and standing[-1].decision == "same" and part_of[one] is not part_of[other]:
                part_of[one] += part_of[other]
                part_of.update(dict.fromkeys(part_of[other], part_of[one]))
        return sorted(map(sorted, {id(part): part for part in part_of.values()}.values()))

    def of_pairs(self, item: Item) -> str:
        """Returns "same" or "not_same", whichever was said last of photos of a finding; empty if neither was."""
        found = [standing[-1] for pair in self._pairs(item) if (standing := self.standing(*pair))]
        return max(found, key=lambda each: each.line).decision if found else ""

    def decide(self, names: Iterable[str], decision: str, *, label: str = "", other: str = "", why: str = "") -> None:
        """Appends a decision about each of the photos. Raises OSError if it cannot be written, or a photo is gone."""
        with self._lock:
            when = self._clock()
            self._append(
                [
                    Correction(name, self._digest(name), decision, label, other, when, why)
                    for name in names
                    if name != other
                ]
            )

    def join(self, pairs: Sequence[tuple[str, str]], why: str) -> None:
        """Appends of each pair that its photos are the same, all in one step. Raises OSError as `decide` does."""
        with self._lock:
            when = self._clock()
            self._append([Correction(name, self._digest(name), "same", "", other, when, why) for name, other in pairs])

    def undo(self, item: Item) -> bool:
        """Takes the newest decision about a finding back, by further lines. Returns whether there was one.

        Raises OSError as `decide` does.
        """
        with self._lock:
            self.refresh()
            tops = [found[-1] for subject in self._subjects(item) if (found := self.standing(*subject))]
            if not tops:
                return False
            newest = max(tops, key=lambda each: each.line)
            back = [each for each in tops if (each.when, each.decision) == (newest.when, newest.decision)]
            self._append([self._before(each) for each in back])
            return True

    def digest(self, name: str) -> str:
        """Returns the SHA-256 of a photo; empty if it cannot be read."""
        try:
            return self._digest(name)
        except OSError:
            return ""

    def _digest(self, name: str) -> str:
        path = find_file(self._folder, name)
        status = os.stat(path)
        state = status.st_size, status.st_mtime_ns
        known = self._digests.get(name)
        if known is None or known[0] != state:
            self._digests[name] = known = state, digest_file(path)
        return known[1]

    def _before(self, decision: Correction) -> Correction:
        """Returns a line that takes `decision` back: the one before it, or one that changes nothing."""
        earlier = self.standing(*decision.subject)[:-1]
        back = earlier[-1] if earlier else decision._replace(decision=NEUTRAL.get(decision.decision, "keep"), label="")
        return back._replace(when=self._clock(), why=UNDONE)

    def _append(self, lines: list[Correction]) -> None:
        append_corrections(self._place, lines)
        self.refresh()

    def _subjects(self, item: Item) -> list[tuple[str, ...]]:
        return [*((name,) for name in item.files), *self._pairs(item)]

    def _pairs(self, item: Item) -> list[tuple[str, ...]]:
        """Returns the pairs of its photos about which there are lines."""
        files = set(item.files)
        pairs = {
            pair for name in files & self._named for pair in self._pairs_with.get(name, []) if files.issuperset(pair)
        }
        return sorted(pairs)


def kinds_for(item: Item) -> tuple[str, ...]:
    """Returns the decisions that a finding asks for."""
    more: dict[str, tuple[str, ...]] = {"near_copy": OF_PAIRS, UNLABELED: ()}
    return ("label", "leave_out", *more.get(item.kind, ("keep",)))
