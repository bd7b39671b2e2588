"""A root with the vectors of labeled photos, and a folder of photos without labels beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from components import vector_file
from components.artifacts import Artifact, Embeddings, Examples
from components.backbone.weights import weights_digest
from components.corrections_file import FILE_NAME
from components.vector_file import ShardVectors
from pipeline.review.photo_vectors import PhotoVectors
from tests.pipeline.report.roots import Root
from tests.pipeline.review.findings import CLASSES, PHOTOS, write_photos

RUN = "20261124-101500-33cc"
BACKBONE, SIZE_PIXELS = "EfficientNetLite0", 32


class Embedded(NamedTuple):
    """What a test labels."""

    root: Path
    photos: Path
    inbox: Path
    corrections: Path


class _EmbeddedRoot(Root):
    """Commits the vectors of all photos, as those of the training split."""

    def _order(self) -> tuple[str, ...]:
        return "ingest", "normalize", "embed"

    def _make(self, name: str, folder: Path, *more: Any) -> Artifact:
        return self._embeddings(folder) if name == "embed" else super()._make(name, folder, *more)

    def _embeddings(self, folder: Path) -> Embeddings:
        made = Embeddings(
            folder=folder,
            backbone=BACKBONE,
            weights_digest=weights_digest(BACKBONE),
            image_size_pixels=SIZE_PIXELS,
            image_counts={"train": len(CLASSES) * PHOTOS},
        )
        paths = [Path(self.examples.source) / name / f"{number}.png" for name in CLASSES for number in range(PHOTOS)]
        views, _ = PhotoVectors(self.path.parent / "elsewhere", made).compute(paths, lambda done, total: None)
        labels = np.repeat(np.arange(len(CLASSES)), PHOTOS)
        (folder / Embeddings.VECTORS).mkdir()
        vectors = ShardVectors(labels, np.zeros((len(labels), vector_file.DIGEST_BYTES), np.uint8), views)
        vector_file.write(folder / Embeddings.VECTORS / "train-00000-of-00001.npz", vectors)
        return made


def embed(folder: Path) -> Embedded:
    """Records a run that has embedded `folder`/photos. In `folder`/inbox are six clear photos and two others."""
    photos, inbox = write_photos(folder / "photos"), folder / "inbox"
    (inbox / "new").mkdir(parents=True)
    random = np.random.default_rng(1)
    for number in range(8):
        pixels = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        pixels[:, :, [number % 3] if number < 6 else [0, 1]] += 100 if number < 6 else 50
        name = f"clear {number}.png" if number < 6 else f"new/between, {number}.png"
        Image.fromarray(pixels).save(inbox / name)
    examples = Examples(
        folder=folder,
        dataset="photos/1.0.0",
        content="0" * 64,
        splits={"train": "train"},
        example_counts={"train": len(CLASSES) * PHOTOS},
        class_names=CLASSES,
        image_shape=(None, None, 3),
        source=str(photos),
        corrections_file=str(photos / FILE_NAME),
    )
    _EmbeddedRoot(folder / "root", examples).run(RUN, state="completed", to="embed")
    return Embedded(folder / "root", photos, inbox, photos / FILE_NAME)
