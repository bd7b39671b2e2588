"""The line on a part of the sample, small enough to run on a cluster in a minute."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SETTINGS = (
    'ingest.splits={"train": "train[:30%]", "validation": "train[96%:]", "test": "test[:40%]"}',
    "normalize.shard_examples=400",
    "train.recipe=small_data",
    "train.widths=[8, 16, 32]",
    "train.epochs=3",
    "evaluate.shard_examples=100",
    'evaluate.thresholds={"accuracy": {"min": 0.15}}',
    "push.variants=[]",
)


def command(root: Path, *options: str) -> list[str]:
    """To be run in REPOSITORY. Later `--set` options count."""
    settings = [f"--set={each}" for each in SETTINGS]
    return [sys.executable, "-m", "pipeline.run", "--output=json", f"--pipeline_root={root}", *settings, *options]


def versions(root: Path) -> list[str]:
    """The published ones."""
    return sorted(path.name for path in (root / "pushed").iterdir() if path.name.isdigit())
