"""What the tests of training share: statistics of images, a quick config, places, and a way to be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import Examples, Model, SplitStatistics, Statistics
from components.component import Workspace
from components.dataset_reader import read
from components.train import TrainConfig
from tests.components.published import publish

# A network that learns the three colours of `tiny` in seconds, on any machine the same.
QUICK: dict[str, Any] = {
    "recipe": "small_data",
    "widths": (8, 8, 16),
    "epochs": 6.0,
    "batch_size": 24,
    "resolution_schedule": ((0.0, 1.0),),
    "precision": "float32",
}


def quick_config(**values: Any) -> TrainConfig:
    read = QUICK if values.get("recipe") != "tutorial" else {key: QUICK[key] for key in QUICK if key != "widths"}
    return TrainConfig.model_validate({**read, **values})


def images_and_labels(examples: Examples, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*read(examples, examples.splits[split]).as_numpy_iterator(), strict=True)
    return np.stack(images), np.array(labels)


def split_statistics(images: np.ndarray, labels: np.ndarray) -> SplitStatistics:
    """What Normalize finds in images uint8 (n, height, width, 3)."""
    pixels = images / 255
    patches = np.concatenate([pixels[:, :-1, :-1], pixels[:, :-1, 1:], pixels[:, 1:, :-1], pixels[:, 1:, 1:]], axis=-1)
    patches = patches.reshape(-1, 12)
    return SplitStatistics(
        example_count=len(images),
        pixel_count=pixels[..., 0].size,
        channel_mean=tuple(pixels.mean((0, 1, 2)).tolist()),
        channel_std=tuple(pixels.std((0, 1, 2)).tolist()),
        patch_mean=tuple(patches.mean(axis=0).tolist()),
        patch_covariance=tuple(map(tuple, np.cov(patches.T, bias=True).tolist())),
        class_counts=tuple(np.bincount(labels).tolist()),
        image_sizes={f"{images.shape[1]}x{images.shape[2]}": len(images)},
    )


def statistics_of(examples: Examples) -> Statistics:
    return Statistics(
        folder=examples.folder,
        splits={"train": split_statistics(*images_and_labels(examples, "train"))},
        duplicate_count=0,
        leaked_count=0,
        duplicates=(),
        warnings=(),
    )


def make_workspace(root: Path) -> Workspace:
    for name in ("folder", "scratch"):
        (root / name).mkdir(parents=True, exist_ok=True)
    return Workspace(folder=root / "folder", scratch=root / "scratch", root=root)


def publish_trained(
    model: Model,
    pushed: Path,
    number: int = 1,
    class_names: tuple[str, ...] | None = None,
    examples: Examples | None = None,
) -> Path:
    """The better, the higher its number."""
    accuracy = 0.5 + number / 100
    return publish(pushed, number, f"digest of {number}", accuracy, model, class_names=class_names, examples=examples)


def train_until_killed(
    workspace: Workspace, config: TrainConfig, examples: Examples, statistics: Statistics, epochs: int, steps: int = 0
) -> None:
    """In a process that gets SIGKILL after so many epochs, and so many steps of the next."""
    statistics.model_copy(update={"folder": workspace.root}).write()
    examples.model_copy(update={"folder": workspace.root}).write()
    saved = workspace.root / "saved"
    arguments = [workspace.root, examples.prepared_directory, config.model_dump_json(), epochs, steps]
    child = subprocess.Popen([sys.executable, "-c", TRAIN_SLOWLY, *map(str, arguments)])
    deadline = time.monotonic() + 120
    while not saved.exists():
        assert child.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


# Sleeps after a checkpoint, so that it is killed in the middle.
TRAIN_SLOWLY = """
import sys, time
from pathlib import Path
from components.artifacts import Examples, Statistics
from components.train import Train, TrainConfig, loop
from components.train.checkpoint import Checkpoint
from tests.components.train.helpers import make_workspace

root, directory, config, epochs, steps = sys.argv[1:]
loop.CHECKPOINT_SECONDS = 0 if int(steps) else loop.CHECKPOINT_SECONDS
save = Checkpoint.save
def save_and_sleep(self, variables, progress):
    save(self, variables, progress)
    if len(progress["history"]) == int(epochs) and progress["sums"]["steps"] == int(steps):
        Path(root, "saved").touch()
        time.sleep(600)
Checkpoint.save = save_and_sleep
examples = Examples.read(Path(root), directory=Path(directory))
Train(TrainConfig.model_validate_json(config)).run(make_workspace(Path(root)), examples, Statistics.read(Path(root)))
"""
