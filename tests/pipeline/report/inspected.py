"""Embeddings and Findings made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.artifacts import Embeddings
from components.findings import KINDS, Finding, Findings


def embeddings(folder: Path, vectors: np.ndarray, labels: np.ndarray) -> Embeddings:
    """Those of a test split, vectors (n, features) in three shards."""
    (folder / Embeddings.VECTORS).mkdir()
    for shard, part in enumerate(np.array_split(np.arange(len(labels)), 3)):
        views = {"center": vectors[part], "mirror": vectors[part]}
        path = folder / Embeddings.VECTORS / f"test-{shard:05}-of-00003.npz"
        np.savez(path, label=labels[part], digest=np.zeros((len(part), 16), np.uint8), **views)
    return Embeddings(
        folder=folder,
        backbone="EfficientNetLite0",
        weights_digest="0" * 64,
        image_size_pixels=64,
        image_counts={"test": len(labels)},
    )


def findings(folder: Path, image_counts: dict[str, int], found: Sequence[Finding]) -> Findings:
    """The artifact that the component inspect would leave."""
    lines = "".join(finding.model_dump_json() + "\n" for finding in found)
    (folder / Findings.FILE).write_text(lines, encoding="utf-8")
    copies = [[image.split for image in finding.images] for finding in found if finding.kind == "near_copy"]
    leaked = sum(splits.count("test") for splits in copies if len(set(splits)) > 1)
    counts = {kind: sum(finding.kind == kind for finding in found) for kind in KINDS}
    return Findings(
        folder=folder,
        image_counts=image_counts,
        counts=counts,
        leaked_images=leaked,
        label_issue_fraction=counts["label_issue"] / sum(image_counts.values()),
        warnings=(f"{leaked} of {image_counts['test']} test images have a near copy in train.",) if leaked else (),
    )
