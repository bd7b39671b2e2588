"""A folder of photos, and a root with what a run might have found wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from components.artifacts import Examples
from components.corrections_file import FILE_NAME, Correction, read_corrections
from components.findings import Finding, FindingKind, ImageReference
from tests.pipeline.report.roots import Root

CLASSES = ("bird", "cat", "dog")
RUN = "20261122-101500-11aa"
PHOTOS = 12  # of each class


class Reviewed(NamedTuple):
    """What a test reviews."""

    root: Path
    photos: Path

    @property
    def file(self) -> Path:
        return self.photos / FILE_NAME

    def decisions(self) -> list[tuple[str, str, str, str]]:
        """The file, decision, label and other photo of each line."""
        return [(each.file, each.decision, each.label, each.other) for each in read_corrections(self.file).decisions]

    def lines(self) -> tuple[Correction, ...]:
        return read_corrections(self.file).decisions


def write_photos(folder: Path) -> Path:
    """Twelve photos of each class, of two sizes, no two alike."""
    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(PHOTOS):
            height, width = (120, 160) if number % 2 else (32, 32)
            pixels = random.integers(0, 120, (height, width, 3), dtype=np.uint8)
            pixels[:, :, label] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def finding(
    kind: FindingKind, *files: str, better: str | None = None, score: float = 0.9, reason: str = "unlike the others"
) -> Finding:
    """A finding about files such as "cat/3.png"."""
    images = tuple(
        ImageReference(split="train", index=index, label=CLASSES.index(file.split("/")[0]), digest="0" * 32, file=file)
        for index, file in enumerate(files)
    )
    suggested = None if better is None else CLASSES.index(better)
    return Finding(kind=kind, images=images, score=score, suggested_label=suggested, reason=reason)


FINDINGS = (
    finding("near_copy", "cat/1.png", "cat/2.png", score=0.97, reason="mirrored"),
    finding("near_copy", "dog/1.png", "dog/2.png", "dog/3.png", score=0.8, reason="the same burst"),
    finding("label_issue", "cat/0.png", better="dog", score=0.99, reason="looks like a dog"),
    finding("label_issue", "bird/5.png", better="cat", score=0.7, reason="looks like a cat"),
    finding("odd_image", "bird/0.png", score=0.6, reason="blurred"),
)


def record(
    folder: Path,
    findings: tuple[Finding, ...] = FINDINGS,
    run_id: str = RUN,
    config: dict[str, Any] | None = None,
    **fields: object,
) -> Reviewed:
    """Records a run that has looked at the photos in `folder`/photos; `fields` are those of its Examples."""
    photos = folder / "photos"
    if not photos.exists():
        write_photos(photos)
    given = {"source": str(photos), "corrections_file": str(photos / FILE_NAME), "class_names": CLASSES, **fields}
    examples = Examples(
        folder=folder,
        dataset="photos/1.0.0",
        content="0" * 64,
        splits={"train": "train", "test": "test"},
        example_counts={"train": 30, "test": 6},
        image_shape=(None, None, 3),
        **given,  # type: ignore[arg-type]
    )
    root = Root(folder / "root", examples)
    root.findings = findings
    root.run(run_id, state="completed", to="inspect", config=config)
    return Reviewed(folder / "root", photos)
