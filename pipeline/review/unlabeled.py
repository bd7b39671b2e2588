"""Chooses which photos of a folder without labels people should label next."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Embeddings
from components.component import ComponentError
from components.corrections_file import find_file
from components.home import expand_home
from components.ingest.photo_tree import photos, printable
from components.inspect.labeling_order import labeling_order
from components.inspect.vectors import SplitVectors, read_vectors
from pipeline.errors import UsageError
from pipeline.predict.least_sure import folder_of, least_sure, rows_at
from pipeline.predict.rows_folder import RowsFolder
from pipeline.review.decisions import Decisions
from pipeline.review.opening import UNLABELED, Item, Review
from pipeline.review.photo_vectors import PhotoVectors, Report
from pipeline.review.places import OpenedRun, open_run

LABELED_SPLITS = ("train", "validation")
_NAMED = 3  # photos in a message
_FEWEST_CANDIDATES, _CANDIDATES_EACH = 1000, 10  # of predicted photos: those of which the model was least sure


def open_unlabeled(
    root: Path | str,
    run: str | None,
    source: str | None,
    corrections: str | None,
    *,
    unlabeled: str,
    count: int,
    report: Report,
) -> Review:
    """Returns the photos of a folder that would teach most, the best first, with the likeliest classes of each.

    Photos about which somebody has decided are passed over; those that cannot be read are named.

    Args:
        root, run, source, corrections: as of `open_review`; the run must have embeddings.
        unlabeled: the folder; or that of the rows of `pipeline.predict --input`, of whose photos those of which the
            model was least sure are looked at: ten times `count`, and a thousand at least.
        count: the most photos to choose.
        report: is called with the photos that are embedded, and their number.

    Raises:
        UsageError: there are no embeddings or no photos, or decisions cannot be written.
    """
    opened = open_run(root, run, Embeddings, source, corrections)
    rows = rows_at(unlabeled, "--unlabeled")
    folder = _folder(opened, str(folder_of(rows)) if rows else unlabeled)
    names = _undecided(opened, folder, rows, max(_CANDIDATES_EACH * count, _FEWEST_CANDIDATES))
    if not names:
        raise UsageError(f"{unlabeled}: there are no photos about which nobody has decided.")
    embeddings = opened.store.load(opened.manifest, Embeddings)
    vectors = PhotoVectors(opened.store.root, embeddings)
    views, readable = vectors.compute([opened.folder / name for name in names], report)
    unreadable = tuple(printable(name) for name, read in zip(names, readable, strict=True) if not read)
    if not readable.any():
        raise UsageError(f"{unlabeled}: none of {len(names)} photos can be read: {', '.join(unreadable[:_NAMED])}.")
    with tempfile.TemporaryDirectory(prefix=".unlabeled-", dir=opened.store.root) as scratch:
        labeled = [
            read_vectors(embeddings, split, Path(scratch))
            for split in LABELED_SPLITS
            if embeddings.image_counts.get(split)
        ]
        items = list(_items(names, views, readable, labeled, opened.examples.class_names, count))
    digest = hashlib.sha256("\0".join(item.files[0] for item in items).encode()).hexdigest()
    class_names = opened.examples.class_names
    return Review(opened.run_id, digest, tuple(items), class_names, opened.folder, opened.corrections, unreadable)


def _folder(opened: OpenedRun, unlabeled: str) -> Path:
    """Returns the folder. Raises UsageError if no decision could name its photos, or they have labels."""
    if opened.url:
        raise UsageError(
            f"The photos with labels lie at {opened.url}, and decisions cannot name photos outside of it: upload these "
            "into the folders of their classes there, or give a copy of it on this machine with --source."
        )
    try:
        folder = expand_home(unlabeled, "--unlabeled")
    except ComponentError as error:
        raise UsageError(str(error)) from error
    if not folder.is_dir():
        raise UsageError(f"--unlabeled={unlabeled} is no folder.")
    source = Path(opened.examples.source)
    if source.is_dir() and folder.resolve().is_relative_to(opened.folder.resolve()):
        raise UsageError(
            f"--unlabeled={unlabeled} lies in {opened.folder}, whose folders are classes. Move it out of there."
        )
    return folder


def _undecided(opened: OpenedRun, folder: Path, rows: RowsFolder | None, most: int) -> list[str]:
    """Returns the photos about which nobody has decided, relative to the folder of those with labels.

    With rows it is at most `most` of them, of which the model was least sure.
    """
    prefix = os.path.relpath(folder.resolve(), opened.folder.resolve())
    decisions = Decisions(opened.corrections, opened.folder)

    def name_of(file: str) -> str:
        return os.path.normpath(os.path.join(prefix, file))

    def is_undecided(file: str) -> bool:
        return decisions.of_file(printable(name_of(file))) is None

    try:
        decisions.refresh()
        if rows is None:
            return [name_of(file) for file in photos(folder, "", []) if is_undecided(file)]
        told = least_sure(rows, most, is_undecided)
    except ComponentError as error:
        raise UsageError(str(error)) from error
    return [name_of(os.path.relpath(find_file(folder, file), folder)) for file in told]


def _items(
    names: Sequence[str],
    views: NDArray[np.float16],
    readable: NDArray[np.bool_],
    labeled: list[SplitVectors],
    class_names: tuple[str, ...],
    count: int,
) -> Iterator[Item]:
    numbers = np.flatnonzero(readable)
    known = views if readable.all() else views[numbers]
    suggested = labeling_order(known, labeled, len(class_names), count)
    for number, classes, probabilities in zip(numbers[suggested.images], *suggested[1:], strict=True):
        first, second = (class_names[label] for label in classes)
        yield Item(
            kind=UNLABELED,
            files=(printable(names[number]),),
            labels=("",),
            splits=("",),
            score=float(probabilities[0]),
            better_label=first,
            reason=f"{first} or {second}",
        )
