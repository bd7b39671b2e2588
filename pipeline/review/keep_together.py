"""Notes of all near copies that a run has found that they are the same photo, where people have not said otherwise.

Ingest then draws splits of which none cuts a group. A group whose photos were said to be the same, by whomever, gets no
further lines: what is noted again after the next run is what was not known before, and in the end nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.corrections_place import Place
from components.findings import Findings
from pipeline.errors import UsageError
from pipeline.review.decisions import Decisions
from pipeline.review.opening import Item, make_item
from pipeline.review.places import OpenedRun, fetch_photos, open_run

WHY = "near_copy: kept together"
LARGEST_FRACTION = 0.1  # of all photos: a larger group might fill a split, or leave none for another


class Noted(NamedTuple):
    """What was noted, and where."""

    groups: int
    photos: int  # in these groups
    left: int  # groups that people must decide about
    corrections: Place

    def words(self) -> str:
        """Returns it as a sentence or two."""
        groups = "1 group" if self.groups == 1 else f"{self.groups:,} groups"
        said = (
            f"{self.photos:,} photos in {groups} of near copies are noted as the same in {self.corrections}: the next "
            "run keeps each group in one split."
            if self.groups
            else f"There is nothing to note in {self.corrections}."
        )
        left = "1 group is" if self.left == 1 else f"{self.left:,} groups are"
        return f"{said} {left} left to people, who see them in `python -m pipeline.review`." if self.left else said


def keep_together(root: Path | str, run: str | None, source: str | None, corrections: str | None) -> Noted:
    """Appends lines to the file of decisions for the near copies that a run has found.

    The arguments are those of `open_review`. A group is left to people if it lies under several labels, if somebody has
    said of two of its photos that they are not the same, if it holds more than a tenth of all photos, or if it lies in
    a split that is given and in another one.

    Raises:
        UsageError: there are no findings, the photos are not there, decisions cannot be written, or the splits of the
            photos are given, so that nothing can be kept together.
    """
    opened = open_run(root, run, Findings, source, corrections)
    if not opened.examples.drawn_splits:
        raise UsageError(
            f"The splits of run {opened.run_id} are given, by ingest.splits or by the source: no photo moves from one "
            "to another. Take one of each pair out of the source, or leave it out in `python -m pipeline.review`."
        )
    groups = list(_groups(opened))
    fetch_photos(opened.url, opened.folder, {name for item in groups for name in item.files})
    decisions = Decisions(opened.corrections, opened.folder)
    try:
        return _note(opened, groups, decisions)
    except ComponentError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"Nothing was noted in {opened.corrections}: {error.strerror or error}.") from error


def _groups(opened: OpenedRun) -> Iterator[Item]:
    """Yields the near copies. Raises UsageError if the findings are damaged."""
    try:
        for finding in opened.store.load(opened.manifest, Findings).read_findings("near_copy"):
            if item := make_item(finding, opened.examples.class_names):
                yield item
    except ComponentError as error:
        raise UsageError(str(error)) from error


def _note(opened: OpenedRun, groups: list[Item], decisions: Decisions) -> Noted:
    decisions.refresh()
    counts, drawn = opened.examples.example_counts, opened.examples.drawn_splits
    most = max(2, LARGEST_FRACTION * sum(counts.values()))
    given = counts.keys() - {"train", *drawn}
    noted: list[list[list[str]]] = []
    left = 0
    for item in groups:
        parts = decisions.parts(item)
        if len(parts) < 2:
            continue
        can_move = len(set(item.splits)) == 1 or given.isdisjoint(item.splits)
        is_clear = len(set(item.labels)) == 1 and not decisions.is_doubted(item)
        if can_move and is_clear and sum(map(len, parts)) <= most:
            noted.append(parts)
        else:
            left += not decisions.is_decided(item)
    pairs = [(other[0], one[0]) for parts in noted for one, other in pairwise(parts)]
    if pairs:
        decisions.join(pairs, WHY)
    photos = sum(len(part) for parts in noted for part in parts)
    return Noted(len(noted), photos, left, opened.corrections)
