"""Defines Examples, the labeled images that ingest prepares."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from components.artifacts.artifact import Artifact
from components.streamed_files import StreamedFiles


class Examples(Artifact):
    """Labeled images in a prepared TensorFlow Datasets (TFDS) folder: `dataset/`, or the folder where TFDS holds them.

    dataset/       only if ingest prepared it itself: TFRecord shards, dataset_info.json, features.json
    logs/rejected.jsonl one {"file", "reason"} a line, for every source file or folder that was left out
    logs/conflicts.jsonl one {"files": {file: label}} a line, for pictures that lie under several labels

    Images are uint8 (height, width, 3), 0-255, RGB once decoded; labels are integers into `class_names`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    PLACES: ClassVar[tuple[str, ...]] = ("directory",)
    STREAMED: ClassVar[str] = "*.tfrecord*"
    REMARKS: ClassVar[tuple[str, ...]] = (
        "rejected_files",
        "left_out_files",
        "corrections",
        "bursts",
        "cut_bursts",
        "drawn_splits",
        "kept_together",
        "source",
        "corrections_file",
    )

    dataset: str  # name/version, e.g. "cifar10/3.0.2"
    content: str  # SHA-256 over the names, sizes and bytes of the prepared dataset's files
    directory: Path | None = None  # the prepared dataset, if it is not `folder / "dataset"`
    splits: dict[str, str]  # of "train", "test" and usually "validation": TFDS slices, e.g. "train[:96%]"
    example_counts: dict[str, int]  # number of images by split
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]  # (height, width, 3); height and width are None if sizes differ
    image_key: str = "image"
    label_key: str = "label"
    rejected_files: int = 0  # files that could not be read
    # What else was left out, by the reason: litter, videos, conflicting copies.
    left_out_files: dict[str, int] = Field(default_factory=dict)
    # People's corrections of the photos: how many were applied, by decision, and `passed_over`.
    corrections: dict[str, int] = Field(default_factory=dict)
    bursts: int = 0  # found by the times in EXIF data, each kept in one split
    cut_bursts: int = 0  # bursts that lie in several splits, as these are given
    drawn_splits: tuple[str, ...] = ()  # that ingest draws from train, as neither the source nor the config gives them
    kept_together: int = 0  # photos that belong with others, as copies, bursts or groups, which no drawn split cuts
    source: str = ""  # the folder or manifest that was read, where it was then; empty: TFDS's own files
    # The files with the images, if they are fetched from object storage one by one; then they are in no folder here.
    streamed: StreamedFiles | None = Field(default=None, exclude=True)
    corrections_file: str = ""  # where corrections of it are read, if there are any; empty: nowhere

    @property
    def prepared_directory(self) -> Path:
        """The folder that holds dataset_info.json."""
        return self.directory or self.folder / "dataset"

    def summary(self) -> dict[str, Any]:
        """Returns the number of images of each split, of files left out, of corrections, bursts and what they keep."""
        left_out = {"left_out": sum(self.left_out_files.values())} if self.left_out_files else {}
        applied = sum(self.corrections.values()) - self.corrections.get("passed_over", 0)
        corrected = {"corrections": applied} if self.corrections else {}
        bursts = {"bursts": self.bursts} if self.bursts else {}
        kept = {"kept_together": self.kept_together} if self.kept_together else {}
        return {**self.example_counts, "rejected": self.rejected_files, **left_out, **corrected, **bursts, **kept}
