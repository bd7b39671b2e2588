"""Gathers the page "Data" of a run: what looks wrong with its images, in words and by pictures, the worst first."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Examples
from components.chosen_images import read_images
from components.component import ComponentError
from components.findings import KINDS, TITLES, Finding, FindingKind, Findings, ImageReference
from components.images.small_picture import SmallPicture, encode
from pipeline.errors import explain
from pipeline.orchestrator.run_artifacts import RunArtifacts
from pipeline.orchestrator.run_record import RunRecord
from pipeline.report.answered import answered_in
from pipeline.report.findings_summary import Survey, sentences, survey
from pipeline.report.pictures import UNREADABLE
from pipeline.report.predictions import Predictions, read_predictions
from pipeline.report.weak_groups import WeakGroup, WeakGroups, weak_groups_of

# At most 100 * 6 + 2 * 100 + 6 * 12 = 872 pictures. One has at most about 10 kB, and 4 kB usually.
FINDINGS_SHOWN = 100  # of each kind
IMAGES_SHOWN = 6  # of each group of near copies
WEAK_IMAGES_SHOWN = 12  # of each weak group
Place = tuple[str, int]  # a split, and the index of an image in it


@dataclass(frozen=True)
class ShownImage:
    """One image of the page."""

    split: str
    index: int  # in the split's order
    file: str  # relative to the source of the photos; empty if the dataset was not made of files
    label: str
    picture: SmallPicture | None  # None if the dataset can no longer be read
    predicted: str = ""  # what the model took it for; empty if it was right, or was not asked


class ShownFinding(NamedTuple):
    """One finding, with at most 6 of its images."""

    images: list[ShownImage]
    hidden_images: int
    better_label: str  # of a label issue, else empty
    score: float  # how sure it is, 0-1
    reason: str
    classes: frozenset[int]  # to filter by: those of all its images, and the better one


class KindSection(NamedTuple):
    """All findings of one kind."""

    kind: FindingKind
    title: str
    findings: int  # their number
    images: dict[str, int]  # number of images in the findings, by split
    shown: list[ShownFinding]  # the worst first


class ShownGroup(NamedTuple):
    """One weak group, with at most 12 of its images: first those that are wrong, the most typical first."""

    group: WeakGroup
    images: list[ShownImage]
    classes: frozenset[int]  # of the images that are shown


@dataclass(frozen=True)
class FindingsPage:
    """Everything that the page shows."""

    record: RunRecord
    image_counts: dict[str, int]  # by split
    sentences: list[str]
    sections: list[KindSection]
    weak: WeakGroups
    weak_shown: list[ShownGroup]
    classes: list[tuple[int, str]]  # label and name of those that the page can be filtered by, in the order of names
    file: str  # name of the file with all findings
    obstacle: str  # why there are no pictures
    damage: str  # why the findings cannot be read; then there are no sentences and sections

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.damage and not self.weak_shown and not any(section.findings for section in self.sections)


class _Pictures:
    """The pictures and file names of images. Each split is read once."""

    def __init__(self, examples: Examples, places: Iterable[Place]) -> None:
        self.obstacle = ""
        self.class_names = examples.class_names
        self._found: dict[Place, tuple[SmallPicture, str]] = {}
        indices: dict[str, list[int]] = defaultdict(list)
        for split, index in places:
            indices[split].append(index)
        try:
            for split, wanted in indices.items():
                for image in read_images(examples, split, wanted):
                    self._found[split, image.index] = encode(image.pixels), image.file
        except UNREADABLE as error:
            self.obstacle = explain(error)

    def show(self, split: str, index: int, label: int, file: str = "", predicted: int | None = None) -> ShownImage:
        picture, stored_file = self._found.get((split, index), (None, ""))
        taken_for = "" if predicted is None else self.class_names[predicted]
        return ShownImage(split, index, file or stored_file, self.class_names[label], picture, taken_for)


def make_findings_page(run: RunArtifacts) -> FindingsPage | None:
    """Returns the content of the page, or None if the run has no Findings, or no longer the Examples they are of.

    It reads the images that it shows, and the vectors and predictions of the test split.
    """
    findings, examples = run.findings, run.examples
    if findings is None or examples is None:
        return None
    surveys, damage = _read(findings, examples)
    predictions = read_predictions(run.evaluation) if run.evaluation else None
    weak = weak_groups_of(run.embeddings, predictions)
    chosen = [_choose_mistakes(group, predictions) for group in weak.groups if predictions is not None]
    pictures = _Pictures(examples, itertools.chain(_places(surveys.values()), _test_places(chosen)))
    sections = [_section(kind, findings.counts.get(kind, 0), found, pictures) for kind, found in surveys.items()]
    weak_shown = [
        _show_group(group, indices, predictions, pictures)
        for group, indices in zip(weak.groups, chosen, strict=True)
        if predictions is not None
    ]
    return FindingsPage(
        record=run.record,
        image_counts=findings.image_counts,
        sentences=list(sentences(findings, surveys)) if surveys else [],
        sections=sections,
        weak=weak,
        weak_shown=weak_shown,
        classes=_classes(examples, [*(each for section in sections for each in section.shown), *weak_shown]),
        file=findings.FILE,
        obstacle=pictures.obstacle,
        damage=damage,
    )


def _read(findings: Findings, examples: Examples) -> tuple[dict[FindingKind, Survey], str]:
    """Returns what was found of each kind; nothing, and why, if the findings are damaged."""
    is_answered = answered_in(examples)
    try:
        return {kind: survey(findings, kind, FINDINGS_SHOWN, is_answered) for kind in KINDS}, ""
    except ComponentError as error:
        return {}, explain(error)


def _places(surveys: Iterable[Survey]) -> Iterable[Place]:
    return (
        (image.split, image.index) for found in surveys for finding in found.worst for image in _choose_images(finding)
    )


def _test_places(groups: Iterable[NDArray[np.int64]]) -> Iterable[Place]:
    return (("test", int(index)) for indices in groups for index in indices)


def _section(kind: FindingKind, count: int, found: Survey, pictures: _Pictures) -> KindSection:
    shown = [_show_finding(finding, pictures) for finding in found.worst]
    return KindSection(kind, TITLES[kind], count, dict(found.images), shown)


def _show_finding(finding: Finding, pictures: _Pictures) -> ShownFinding:
    better = finding.suggested_label
    return ShownFinding(
        images=[pictures.show(each.split, each.index, each.label, each.file) for each in _choose_images(finding)],
        hidden_images=max(0, len(finding.images) - IMAGES_SHOWN),
        better_label="" if better is None else pictures.class_names[better],
        score=finding.score,
        reason=finding.reason,
        classes=frozenset(image.label for image in finding.images) | ({better} if better is not None else set()),
    )


def _choose_images(finding: Finding) -> list[ImageReference]:
    """Returns at most 6 images, in their order: one of each split and label before a second one."""
    seen: set[tuple[str, int]] = set()
    repeats = []
    for place, image in enumerate(finding.images):
        repeats.append(((image.split, image.label) in seen, place))
        seen.add((image.split, image.label))
    return [finding.images[place] for place in sorted(place for _, place in sorted(repeats)[:IMAGES_SHOWN])]


def _choose_mistakes(group: WeakGroup, predictions: Predictions) -> NDArray[np.int64]:
    return group.indices[np.argsort(predictions.correct[group.indices], kind="stable")][:WEAK_IMAGES_SHOWN]


def _show_group(
    group: WeakGroup, indices: NDArray[np.int64], predictions: Predictions, pictures: _Pictures
) -> ShownGroup:
    labels = predictions.labels[indices].tolist()
    images = [
        pictures.show("test", index, label, predicted=None if label == predicted else predicted)
        for index, label, predicted in zip(
            indices.tolist(), labels, predictions.predicted[indices].tolist(), strict=True
        )
    ]
    return ShownGroup(group, images, frozenset(labels))


def _classes(examples: Examples, shown: Iterable[ShownFinding | ShownGroup]) -> list[tuple[int, str]]:
    labels = {label for each in shown for label in each.classes}
    return sorted(((label, examples.class_names[label]) for label in labels), key=lambda each: each[1])
