"""Defines the artifact Findings: what looks wrong with the images and their labels, a line for each finding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact, Document

FindingKind = Literal["near_copy", "label_issue", "odd_image"]
KINDS: tuple[FindingKind, ...] = ("near_copy", "label_issue", "odd_image")
TITLES: dict[FindingKind, str] = {"near_copy": "Near copies", "label_issue": "Labels", "odd_image": "Odd images"}


class ImageReference(Document):
    """An image, by its place in a split, and by what it holds."""

    split: str  # "train", "validation" or "test"
    index: int = Field(ge=0)  # in the split's order
    label: int  # into the class names
    digest: str  # hexadecimal: the first 16 bytes of the SHA-256 of the image's bytes as stored
    file: str = ""  # relative to the source of the photos; empty if the dataset was not made of files


class Finding(Document):
    """One image that looks wrong, or a group of images that nearly repeat each other."""

    kind: FindingKind
    images: tuple[ImageReference, ...] = Field(min_length=1)  # of a near copy two or more, of the other kinds one
    score: float = Field(ge=0, le=1)  # how sure it is: 1 is certain
    suggested_label: int | None = None  # of a label issue: the class that fits better
    reason: str  # a few words for people: "mirrored", "blurred", "unlike the other images of its class"


class Findings(Artifact):
    """What looks wrong with the images of all splits.

    findings.jsonl  a `Finding` a line: by kind in the order of `KINDS`, the surest first
    """

    FILE: ClassVar[str] = "findings.jsonl"
    REMARKS: ClassVar[tuple[str, ...]] = ("warnings",)

    image_counts: dict[str, int]  # images that were looked at, by split
    counts: dict[FindingKind, int]  # findings, by kind
    leaked_images: int  # images of the test split with a near copy in another split
    label_issue_fraction: float = Field(ge=0, le=1)  # label issues by all images
    warnings: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The file with the findings."""
        return self.folder / self.FILE

    def read_findings(self, kind: FindingKind | None = None) -> Iterator[Finding]:
        """Yields the findings of one kind, or all of them, in the order of the file."""
        with self.file.open(encoding="utf-8") as lines:
            for line in lines:
                finding = Finding.model_validate_json(line)
                if kind in (None, finding.kind):
                    yield finding

    def summary(self) -> dict[str, Any]:
        """Returns the number of findings of each kind, and of test images with a near copy in another split."""
        return {**{kind: self.counts.get(kind, 0) for kind in KINDS}, "leaked": self.leaked_images}
