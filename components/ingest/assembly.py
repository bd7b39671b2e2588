"""Assembles the dataset of a folder's photos from the records of its spans.

The order and the drawn splits are decided here, by the files that could be read: one that could not has no influence on
the others. Nothing is decoded. This may run twice, and be killed at any time: see `components.ingest.moving`.
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
from components.ingest.assignment import draw_splits, drawn_percents, join_copies
from components.ingest.corrections import find_corrections
from components.ingest.gathered import Gathered
from components.ingest.known_files import KnownFiles
from components.ingest.layout import Layout
from components.ingest.litter import litter_kind, no_image_kind
from components.ingest.moving import Moving
from components.ingest.photo_plan import PhotoPlan
from components.ingest.photo_records import dataset_name, named_features
from components.ingest.photo_tree import Files, printable
from components.ingest.prepared import describe
from components.ingest.rejected import Rejected
from components.ingest.sources import split_manifest
from components.ingest.span import SpanRead
from components.ingest.span_file import SpanIndex
from components.ingest.split_names import ADDED
from components.ingest.writing import SHARD_BYTES, write_records
from components.object_storage import is_remote

_REPORTS = 200
_SHARDS, _FEWEST_SHARD_BYTES = 32, 8 << 20


def assemble(config: IngestConfig, workspace: Workspace, results: list[SpanRead]) -> Examples:
    """Makes Examples with `dataset/` in the artifact. Each class is spread evenly over its split.

    Raises ComponentError if a class has no photo that can be read, or too many of the others belong together.
    """
    folder = (workspace.scratch / results[0].file).parent
    plan, lost = PhotoPlan.read(folder), rejected.noted(folder)
    url = split_manifest(config.dataset)[0] if is_remote(config.dataset) else ""
    known = None if url else KnownFiles(workspace.root, plan.source)
    photos = _gather(workspace, plan, results, known)
    rejected.require_few(lost, len(photos) + len(lost), config.max_rejected_fraction, plan.folder)
    layout = photos.layout(plan.class_names)
    _require_every_class(plan, photos, layout.splits)
    layout, units, fixed = join_copies(config, workspace, plan.source, layout, photos.units(), photos.copies())
    drawn = tuple(drawn_percents(config, layout))[1:]
    layout = draw_splits(config, plan.source, layout, units, fixed)
    left_out = [*plan.left_out, *layout.left_out]
    _write(workspace, plan, photos, layout)
    _list_rejected(workspace, [*lost, *(Rejected(*each) for each in left_out)])
    if known is not None:  # storage tells by itself what has changed
        _note_left_out(known, plan)
    examples = describe(config, workspace, workspace.folder / "dataset")
    found = {
        "image_shape": (*(next(iter(photos.shapes)) if len(photos.shapes) == 1 else (None, None)), 3),
        "rejected_files": len(lost),
        "left_out_files": dict(Counter(reason for _, reason in left_out)),
        "corrections": plan.corrections,
        "bursts": plan.bursts,
        "cut_bursts": plan.cut_bursts,
        "drawn_splits": drawn,
        "kept_together": sum(map(len, units)) if drawn else 0,
        "source": str(plan.source),
        "corrections_file": str(find_corrections(plan.source, config.corrections, url) or ""),
    }
    return examples.model_copy(update=found).write()


def _gather(workspace: Workspace, plan: PhotoPlan, results: list[SpanRead], known: KnownFiles | None) -> Gathered:
    photos = Gathered(len(plan.class_names))
    for result in sorted(results):
        path = workspace.scratch / result.file
        index = span_file.read(path)
        photos.add(path, index)
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
        if split == ADDED:
            continue
        for name, count, files in zip(plan.class_names, counts, readable[split], strict=True):
            if count and not files:
                raise ComponentError(f"In {plan.folder}, no image of class {name!r} in {split} can be read")


def _write(workspace: Workspace, plan: PhotoPlan, photos: Gathered, layout: Layout) -> None:
    """Writes `dataset/`, by moving records."""
    moving, progress = Moving(photos), _Progress(workspace, len(photos))
    orders, counts = photos.in_order(layout), layout.file_counts()
    # The small splits first: spans hold photos of all, and are done with only when the last split is written.
    splits = {split: progress.count(moving.read(orders[split])) for split in sorted(orders, key=counts.__getitem__)}
    digests = write_records(
        workspace.folder / "dataset",
        f"{dataset_name(plan.name)}/1.0.0",
        named_features(plan.class_names),
        splits,
        # Of a small dataset small files: the records of one are on the disk twice until it is whole.
        shard_bytes=min(SHARD_BYTES, max(_FEWEST_SHARD_BYTES, photos.byte_count // _SHARDS)),
        stored=moving.stored,
    )
    workspace.file_digests.update(digests)


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
