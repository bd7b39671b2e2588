"""Defines the artifact Findings: what looks wrong with the images and their labels, a line for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact, Document
from components.component import ComponentError

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

    @property
    def is_leak(self) -> bool:
        """Whether copies of one picture are in the test split and in another one."""
        splits = {image.split for image in self.images}
        return self.kind == "near_copy" and "test" in splits and len(splits) > 1


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
        """Yields the findings of one kind, or all of them, in the order of the file.

        Raises ComponentError if the file is damaged: at the latest after the last finding, if some are missing.
        """
        seen: Counter[str] = Counter()
        try:
            with self.file.open(encoding="utf-8") as lines:
                for line in lines:
                    finding = Finding.model_validate_json(line)
                    seen[finding.kind] += 1
                    if kind in (None, finding.kind):
                        yield finding
        except FileNotFoundError as error:
            raise self._damaged("it is gone") from error
        except OSError as error:
            raise self._damaged(f"it cannot be read: {error.strerror}") from error
        except ValueError as error:  # also what pydantic raises, and what is no UTF-8
            raise self._damaged(f"line {sum(seen.values()) + 1} is no finding") from error
        if seen != Counter(self.counts):
            raise self._damaged(f"it holds {sum(seen.values())} findings")

    def leaked_indices(self) -> frozenset[int]:
        """Returns the test images with a near copy in another split, by their index in the test split.

        Raises ComponentError if the file is damaged.
        """
        leaks = (finding for finding in self.read_findings("near_copy") if finding.is_leak)
        return frozenset(image.index for finding in leaks for image in finding.images if image.split == "test")

    def _damaged(self, what: str) -> ComponentError:
        return ComponentError(
            f"{self.file} is damaged: {what}, where inspect wrote {sum(self.counts.values())} findings. Run again with "
            "--force=inspect."
        )

    def summary(self) -> dict[str, Any]:
        """Returns the number of findings of each kind, and of test images with a near copy in another split."""
        return {**{kind: self.counts.get(kind, 0) for kind in KINDS}, "leaked": self.leaked_images}
