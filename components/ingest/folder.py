"""Plans how the photos of a folder, or those that a manifest names, are read: checks what can be known by then, and
divides them into spans.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import tensorflow_datasets as tfds

from components.component import Workspace
from components.ingest import IngestConfig, rejected
from components.ingest.assignment import draw_splits, find_layout, keep_together
from components.ingest.corrections import apply_corrections, find_corrections
from components.ingest.fetch import not_copied
from components.ingest.layout import Layout
from components.ingest.order import interleave
from components.ingest.photo_plan import PhotoPlan
from components.ingest.photo_records import named_features
from components.ingest.prepared import check_features
from components.ingest.sources import split_manifest
from components.ingest.span import Reading, Span
from components.ingest.span_file import join_names
from components.ingest.splits import count_examples, slices_of
from components.object_storage import is_remote

_SPANS = 100  # or fewer: as many steps has the progress that a person sees
_MOST_FILES = 512  # of a span
_FILES_A_CORE = 32  # of a span, at least: at its end, cores wait for each other


def plan(config: IngestConfig, workspace: Workspace, source: Path) -> Iterator[Span]:
    """Yields spans of all photos of `source`, a folder or a manifest, in the order of each split.

    Raises ComponentError if the source has an unexpected layout, or is one on which the config does not allow to train.
    """
    corrections = find_corrections(source, config.corrections, _url(config))
    layout = apply_corrections(find_layout(config, source), source, corrections)
    # Checks that may refuse the data come before hours of work.
    check_features(config, named_features(layout.class_names), source.name)
    _check_splits(config, layout, source.name)
    layout, units = keep_together(config, workspace, source, layout)
    _check_splits(config, draw_splits(config, source, layout, units), source.name)
    numbers = {file: number for number, unit in enumerate(units, 1) for _, file in unit}
    files_a_span = _files_a_span(sum(layout.file_counts().values()))
    reading = _reading(config, workspace, source, layout, _digest(layout, numbers, files_a_span))
    reading.folder.mkdir(exist_ok=True)
    rejected.forget(reading.folder)
    names, left_out = layout.class_names, (*layout.left_out, *(not_copied(source) if is_remote(config.dataset) else []))
    found = layout.corrections, layout.bursts, layout.cut_bursts
    written = PhotoPlan(source, reading.source, names, left_out, *found).write(reading.folder)
    workspace.exchange.put(written)
    return _spans(reading, layout, numbers, files_a_span)


def _check_splits(config: IngestConfig, layout: Layout, dataset: str) -> None:
    files = {split: tfds.core.SplitInfo(split, [count], 0) for split, count in layout.file_counts().items()}
    count_examples(slices_of(config.splits.named() if config.splits else None, files), files, dataset)


def _files_a_span(total: int) -> int:
    return min(_MOST_FILES, max(_FILES_A_CORE * (os.cpu_count() or 1), total // _SPANS))


def _digest(layout: Layout, units: dict[str, int], files_a_span: int) -> str:
    """Returns what names the folder of the spans: with another layout, an earlier attempt's are of no use."""
    digest = hashlib.sha256(json.dumps([files_a_span, layout.class_names, sorted(units.items())]).encode())
    for split, classes in layout.splits.items():
        for files in classes:
            digest.update(json.dumps([split, files.folder, len(files)]).encode() + files.names)
    return digest.hexdigest()


def _reading(config: IngestConfig, workspace: Workspace, source: Path, layout: Layout, digest: str) -> Reading:
    return Reading(
        source=source.parent if source.is_file() else source,
        url=_url(config),
        folder=workspace.scratch / f"photos-{digest[:16]}",
        class_count=len(layout.class_names),
        file_count=sum(layout.file_counts().values()),
        shorter_side_pixels=config.shorter_side_pixels,
        max_rejected_fraction=config.max_rejected_fraction,
        takes_earlier=not workspace.forced,
        exchange=workspace.exchange,
    )


def _url(config: IngestConfig) -> str:
    """Returns the URL of the folder of photos in object storage; empty if they lie on this machine."""
    return split_manifest(config.dataset)[0] if is_remote(config.dataset) else ""


def _spans(reading: Reading, layout: Layout, units: dict[str, int], files_a_span: int) -> Iterator[Span]:
    number = 0
    for split, classes in layout.splits.items():
        order = interleave(classes)
        while batch := list(islice(order, files_a_span)):
            labels, files = zip(*batch, strict=True)
            yield Span(
                reading=reading,
                number=number,
                split=split,
                names=join_names(files),
                labels=labels,
                units=tuple(units.get(file, 0) for file in files),
                states=tuple(_state(reading.source / file) for file in files) if reading.url else (),
            )
            number += 1


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
