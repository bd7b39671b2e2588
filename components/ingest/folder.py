"""Prepares a folder of images, or those that a manifest names, as a TFDS dataset inside the artifact."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import tensorflow_datasets as tfds

from components.artifacts import LOGS, Examples
from components.component import ComponentError, Workspace
from components.images.photos import UnreadableError
from components.ingest import IngestConfig
from components.ingest.assignment import find_layout, keep_together
from components.ingest.decode import read_image
from components.ingest.known_files import KnownFiles
from components.ingest.layout import Layout
from components.ingest.litter import litter_kind, no_image_kind
from components.ingest.order import interleave
from components.ingest.photo_tree import Files, printable
from components.ingest.prepared import check_features, describe
from components.ingest.splits import count_examples, own_splits
from components.ingest.writing import serializer, write_records
from components.object_storage import is_remote

_NAMED_REJECTS = 3  # number of files listed in the error message

Item = TypeVar("Item")
Result = TypeVar("Result")


def import_folder(config: IngestConfig, workspace: Workspace, source: Path) -> Examples:
    """Makes Examples with `dataset/` in the artifact from the images of `source`, a folder or a manifest.

    Each class is spread evenly over its split, in an order drawn by the files' names. Raises ComponentError if the
    source has an unexpected layout, or if more files cannot be read than the config allows.
    """
    layout = find_layout(config, source)
    features = _features(layout)
    # Checks that may refuse the data come before hours of work.
    check_features(config, features, source.name)
    _check_splits(config, layout, source.name)
    layout = keep_together(config, workspace, source, layout)
    _check_splits(config, layout, source.name)
    folder, name = (source.parent, source.stem) if source.is_file() else (source, source.name)
    known = KnownFiles(workspace.root, source)
    intake = _Intake(config, workspace, folder, layout, features, known)
    directory = workspace.folder / "dataset"
    splits = {split: intake.records(split, classes) for split, classes in layout.splits.items()}
    write_records(directory, f"{_dataset_name(name)}/1.0.0", features, splits)
    intake.require_every_class()
    if not is_remote(config.dataset):  # storage tells by itself what has changed
        _note_left_out(known, folder, layout)
    examples = describe(config, workspace, directory)
    found = {
        "image_shape": intake.image_shape(),
        "rejected_files": intake.rejected_count,
        "left_out_files": dict(Counter(reason for _, reason in layout.left_out)),
    }
    return examples.model_copy(update=found).write()


def _note_left_out(known: KnownFiles, folder: Path, layout: Layout) -> None:
    """Notes the files that are part of the source's fingerprint although they were not read, and writes the table."""
    for file, _ in layout.left_out:
        path = folder / file
        if not (litter_kind(path.name, is_folder=False) or no_image_kind(path.name)):
            with contextlib.suppress(OSError):
                known.read(file, str(path), path.stat())
    known.replace()


def _features(layout: Layout) -> tfds.features.FeaturesDict:
    return tfds.features.FeaturesDict(
        {
            "file": tfds.features.Text(),
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=list(layout.class_names)),
        }
    )


def _check_splits(config: IngestConfig, layout: Layout, dataset: str) -> None:
    files = {split: tfds.core.SplitInfo(split, [count], 0) for split, count in layout.file_counts().items()}
    count_examples(config.splits.named() if config.splits else own_splits(files), files, dataset)


def _dataset_name(name: str) -> str:
    """Returns a name that TFDS allows: letters, digits and _, with a letter first."""
    name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return name if name[:1].isalpha() else f"images_{name}".rstrip("_")


class _Record(NamedTuple):
    """An image as it is stored."""

    data: bytes
    height: int
    width: int


class _Intake:
    """A reader of image files that counts the rejected ones and notes their sizes."""

    def __init__(
        self,
        config: IngestConfig,
        workspace: Workspace,
        folder: Path,
        layout: Layout,
        features: tfds.features.FeaturesDict,
        known: KnownFiles,
    ) -> None:
        self.rejected_count = 0
        self._known = known
        self._serialize = serializer(features)
        self._config, self._workspace, self._folder, self._layout = config, workspace, folder, layout
        self._readable = {split: [0] * len(layout.class_names) for split in layout.splits}
        self._total, self._done = sum(layout.file_counts().values()), 0
        self._unreadable: list[str] = []  # the first unreadable files, with the reasons
        self._sizes: set[tuple[int, int]] = set()  # two sizes at most: more need not be told apart
        for file, reason in layout.left_out:
            self._note(file, reason)

    def records(self, split: str, classes: list[Files]) -> Iterator[bytes]:
        """Yields the records of one split, from the files of each class."""
        for (label, file), record in _in_order(self._read, interleave(classes)):
            self._report()
            if isinstance(record, UnreadableError):
                self._reject(file, str(record))
                continue
            self._readable[split][label] += 1
            if len(self._sizes) < 2:
                self._sizes.add((record.height, record.width))
            yield record.data

    def require_every_class(self) -> None:
        """Raises ComponentError if no file of a class was read in a split of the source, or in all that were drawn."""
        splits = self._layout.splits
        for scope in [list(splits)] if self._layout.drawn else [[split] for split in splits]:
            for label, name in enumerate(self._layout.class_names):
                found = sum(len(splits[split][label]) for split in scope)
                if found and not any(self._readable[split][label] for split in scope):
                    where = ", ".join(scope)
                    raise ComponentError(f"In {self._folder}, no image of class {name!r} in {where} can be read")

    def image_shape(self) -> tuple[int | None, int | None, int]:
        """Returns (height, width, 3) if all images have that size, else (None, None, 3)."""
        height, width = next(iter(self._sizes)) if len(self._sizes) == 1 else (None, None)
        return height, width, 3

    def _note(self, file: str, reason: str) -> None:
        """Adds a line to `logs/rejected.jsonl`."""
        (self._workspace.folder / LOGS).mkdir(exist_ok=True)
        with (self._workspace.folder / LOGS / "rejected.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"file": printable(file), "reason": reason}) + "\n")

    def _read(self, item: tuple[int, str]) -> _Record | UnreadableError:
        """Reads and serializes one image. Many threads call it at once."""
        label, file = item
        try:
            note = functools.partial(self._known.note, file)
            image = read_image(self._folder / file, self._config.shorter_side_pixels, note)
        except UnreadableError as error:
            return error
        data = self._serialize({"file": printable(file), "image": image.data, "label": label})
        return _Record(data, image.height, image.width)

    def _report(self) -> None:
        self._done += 1
        if self._done % max(1, self._total // 200) == 0 or self._done == self._total:
            self._workspace.report(self._done, self._total, "files read")

    def _reject(self, file: str, reason: str) -> None:
        self._note(file, reason)
        self.rejected_count += 1
        if len(self._unreadable) < _NAMED_REJECTS:
            self._unreadable.append(f"{printable(file)} ({reason})")
        limit = self._config.max_rejected_fraction
        if self.rejected_count > limit * self._total:
            some = ", ".join(self._unreadable)
            raise ComponentError(
                f"Of {self._total} files in {self._folder}, {self.rejected_count} and perhaps more cannot be read; "
                f"ingest.max_rejected_fraction allows {limit:.1%}. For example: {some}"
            )


def _in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Yields (item, function(item)) in the order of the items, computed on all cores, a few items ahead of time."""
    workers = os.cpu_count() or 1
    ahead: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            ahead.append((item, pool.submit(function, item)))
            if len(ahead) > 4 * workers:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()
