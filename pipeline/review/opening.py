"""Finds what there is to review below a pipeline root: the findings of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.corrections_place import Place
from components.findings import TITLES, Finding, Findings
from pipeline.errors import UsageError
from pipeline.review.places import fetch_photos, open_run

UNLABELED = "unlabeled"  # the kind of an item that is no finding: a photo without a label
KIND_NAMES: dict[str, str] = dict([*TITLES.items(), (UNLABELED, "Unlabeled")])


class Item(NamedTuple):
    """One finding, as far as people need to see it. All its photos are files."""

    kind: str  # one of `KIND_NAMES`
    files: tuple[str, ...]  # relative to the source's folder, with \\x.. for bytes that are not UTF-8
    labels: tuple[str, ...]  # the class of each; empty if it has none yet
    splits: tuple[str, ...]
    score: float  # how sure it is, 0-1
    better_label: str  # the class that fits better; empty if none is suggested
    reason: str


class Review(NamedTuple):
    """What is reviewed, and where."""

    run_id: str
    digest: str  # of the Findings
    items: tuple[Item, ...]  # the surest first
    class_names: tuple[str, ...]
    folder: Path  # that files are relative to
    corrections: Place  # the file of decisions, which need not be there yet
    unreadable: tuple[str, ...] = ()  # photos without labels that cannot be read, named as in `Item.files`


def open_review(root: Path | str, run: str | None, source: str | None, corrections: str | None) -> Review:
    """Returns the findings of a run, or of the newest run that has any, with the places that they speak of.

    Args:
        root: the pipeline root, a folder or a URL.
        run: the run's name or the beginning of it; None: the newest run with findings.
        source: the folder or manifest of the photos; None: where ingest found it.
        corrections: the file of decisions; None: where ingest reads it, or beside `source` if that is given.

    Raises:
        UsageError: there are no findings, the photos are not there, or decisions cannot be written.
    """
    opened = open_run(root, run, Findings, source, corrections)
    findings = opened.store.load(opened.manifest, Findings)
    try:
        items = sorted(_items(findings, opened.examples.class_names), key=lambda item: -item.score)  # keeps equals
    except ComponentError as error:
        raise UsageError(str(error)) from error
    fetch_photos(opened.url, opened.folder, {name for item in items for name in item.files})
    names = opened.examples.class_names
    return Review(opened.run_id, opened.manifest.digest, tuple(items), names, opened.folder, opened.corrections)


def _items(findings: Findings, class_names: tuple[str, ...]) -> Iterator[Item]:
    for finding in findings.read_findings():
        if item := make_item(finding, class_names):
            yield item


def make_item(finding: Finding, class_names: tuple[str, ...]) -> Item | None:
    """Returns what is reviewed of a finding; None if it is about images that are no files."""
    if not all(image.file for image in finding.images):
        return None
    better = finding.suggested_label
    return Item(
        kind=finding.kind,
        files=tuple(image.file for image in finding.images),
        labels=tuple(class_names[image.label] for image in finding.images),
        splits=tuple(image.split for image in finding.images),
        score=finding.score,
        better_label="" if better is None else class_names[better],
        reason=finding.reason,
    )
