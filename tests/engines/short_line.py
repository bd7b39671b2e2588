"""The line on a part of the sample, small enough to run on a cluster in a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from components.local_copies import local_copy
from components.object_storage import is_remote
from pipeline.orchestrator.run_record import RunFolder

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
# Options with which every scan is in the line.
WITH_EMBED = ("--set=inspect={}", "--set=embed.image_size_pixels=64", "--set=embed.shard_examples=300")
SCANS = ("normalize", "embed", "evaluate")


class Run(NamedTuple):
    """One that has ended."""

    root: Path  # of a root in a bucket, this machine's copy
    report: dict[str, Any]

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root, self.report["run_id"])

    def machines_of(self, component: str) -> set[str]:
        """The host names of the workers that began its shards."""
        return {worker.split(":")[0] for worker in self.folder.scanned_by(component)}

    @property
    def digests(self) -> dict[str, str]:
        return {node["component"]: node["digest"] for node in self.report["nodes"]}


def run(root: Path | str, *options: str) -> Run:
    """Runs it to its end, with a folder or a URL as its root. Later `--set` options count."""
    finished = subprocess.run(command(root, *options), capture_output=True, text=True, cwd=REPOSITORY)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    here = local_copy(str(root)) if is_remote(str(root)) else Path(root)
    return Run(here, json.loads(finished.stdout.splitlines()[-1]))


def command(root: Path | str, *options: str) -> list[str]:
    """To be run in REPOSITORY."""
    settings = [f"--set={each}" for each in SETTINGS]
    return [sys.executable, "-m", "pipeline.run", "--output=json", f"--pipeline_root={root}", *settings, *options]


def versions(root: Path) -> list[str]:
    """The published ones."""
    return sorted(path.name for path in (root / "pushed").iterdir() if path.name.isdigit())
