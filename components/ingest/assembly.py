"""Assembles the dataset of a folder's photos from the records of its spans.

The order and the drawn splits are decided here, by the files that could be read: one that could not has no influence on
the others. Nothing is decoded. The files of the spans stay until the artifact is committed, so that this may run twice.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator

from components.artifacts import LOGS, Examples
from components.component import ComponentError, Workspace
from components.files import write_whole
from components.ingest import IngestConfig, rejected, span_file
from components.ingest.assignment import draw_splits
from components.ingest.corrections import find_corrections
from components.ingest.gathered import Gathered
from components.ingest.known_files import KnownFiles
from components.ingest.litter import litter_kind, no_image_kind
from components.ingest.photo_plan import PhotoPlan
from components.ingest.photo_records import dataset_name, named_features
from components.ingest.photo_tree import Files, printable
from components.ingest.prepared import describe
from components.ingest.rejected import Rejected
from components.ingest.span import SpanRead
from components.ingest.span_file import SpanIndex
from components.ingest.writing import write_records
from components.object_storage import is_remote

_REPORTS = 200


def assemble(config: IngestConfig, workspace: Workspace, results: list[SpanRead]) -> Examples:
    """Makes Examples with `dataset/` in the artifact. Each class is spread evenly over its split.

    Raises ComponentError if a class has no photo that can be read, or too many of the others belong together.
    """
    folder = results[0].file.parent
    plan, lost = PhotoPlan.read(folder), rejected.noted(folder)
    known = None if is_remote(config.dataset) else KnownFiles(workspace.root, plan.source)
    photos = _gather(plan, results, known)
    rejected.require_few(lost, len(photos) + len(lost), config.max_rejected_fraction, plan.folder)
    layout = photos.layout(plan.class_names)
    _require_every_class(plan, photos, layout.splits)
    layout = draw_splits(config, plan.source, layout, photos.units())
    _write(workspace, plan, photos, photos.in_order(layout))
    _list_rejected(workspace, [*(Rejected(*each) for each in plan.left_out), *lost])
    if known is not None:  # storage tells by itself what has changed
        _note_left_out(known, plan)
    examples = describe(config, workspace, workspace.folder / "dataset")
    found = {
        "image_shape": (*(next(iter(photos.shapes)) if len(photos.shapes) == 1 else (None, None)), 3),
        "rejected_files": len(lost),
        "left_out_files": dict(Counter(reason for _, reason in plan.left_out)),
        "corrections": plan.corrections,
        "source": str(plan.source),
        "corrections_file": str(find_corrections(plan.source, config.corrections, is_copy=known is None) or ""),
    }
    return examples.model_copy(update=found).write()


def _gather(plan: PhotoPlan, results: list[SpanRead], known: KnownFiles | None) -> Gathered:
    photos = Gathered(len(plan.class_names))
    for result in sorted(results):
        index = span_file.read(result.file)
        photos.add(result.file.parent, index)
        if known is not None:
            _note(known, index)
    return photos


def _note(known: KnownFiles, index: SpanIndex) -> None:
    for file, (size, time_ns, read_ns), digest in zip(index.files, index.states.tolist(), index.sha256, strict=True):
        if read_ns:
            known.note(file, size, time_ns, read_ns, digest.tobytes().hex())


def _note_left_out(known: KnownFiles, plan: PhotoPlan) -> None:
    """Notes the files that are part of the source's fingerprint although they were not read, and writes the table."""
    for file, _ in plan.left_out:
        path = plan.folder / file
        if not (litter_kind(path.name, is_folder=False) or no_image_kind(path.name)):
            with contextlib.suppress(OSError):
                known.read(file, str(path), path.stat())
    known.replace()


def _require_every_class(plan: PhotoPlan, photos: Gathered, readable: dict[str, list[Files]]) -> None:
    """Raises ComponentError if a class has files in a split of the source, and none of them was read."""
    for split, counts in photos.file_counts.items():
        for name, count, files in zip(plan.class_names, counts, readable[split], strict=True):
            if count and not files:
                raise ComponentError(f"In {plan.folder}, no image of class {name!r} in {split} can be read")


def _write(workspace: Workspace, plan: PhotoPlan, photos: Gathered, orders: dict[str, Iterator[int]]) -> None:
    """Writes `dataset/`, by copying records."""
    name = dataset_name(plan.name)
    progress = _Progress(workspace, len(photos))
    splits = {split: progress.count(photos.read(order)) for split, order in orders.items()}
    write_records(workspace.folder / "dataset", f"{name}/1.0.0", named_features(plan.class_names), splits)


class _Progress:
    """A count of the photos that were stored."""

    def __init__(self, workspace: Workspace, total: int) -> None:
        self._workspace, self._total, self._done = workspace, total, 0

    def count(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Yields the records, and reports now and then how many there were."""
        for record in records:
            yield record
            self._done += 1
            if self._done % max(1, self._total // _REPORTS) == 0 or self._done == self._total:
                self._workspace.report(self._done, self._total, "photos stored")


def _list_rejected(workspace: Workspace, lines: list[Rejected]) -> None:
    """Writes `logs/rejected.jsonl`, if there is something to list."""
    if lines:
        (workspace.folder / LOGS).mkdir(exist_ok=True)
        path = workspace.folder / LOGS / "rejected.jsonl"
        rows = (json.dumps({"file": printable(each.file), "reason": each.reason}) for each in lines)
        write_whole(path, "".join(f"{row}\n" for row in rows))
