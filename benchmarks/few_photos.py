"""Measures how accurate recipes are with a few photos of each class, from the command to the published version.

    python -m benchmarks.few_photos --work /tmp/few_photos --recipes transfer small_data --counts 5 10 30 100

The photos are images of the embedded sample, enlarged to 300 to 420 pixels a side and stored as JPEG: as many of each
class to train on as `--counts` says, and 100 of each to judge by. Seconds are those of the whole command.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from components.ingest.sources import EMBEDDED, find_prepared

TEST_PHOTOS = 100
SIDES_PIXELS = (300, 421)
ROW = "{:<12} {:>8} {:>10} {:>9} {:<10}"


def main() -> None:
    """Prints a row for each recipe and each number of photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for photos and pipeline roots")
    parser.add_argument("--recipes", nargs="+", default=["transfer", "small_data"])
    parser.add_argument("--counts", nargs="+", type=int, default=[5, 10, 30, 100], help="photos of each class")
    options = parser.parse_args()
    print(ROW.format("recipe", "photos", "accuracy", "seconds", "outcome"))
    for count in options.counts:
        photos = options.work / f"photos_{count}"
        if not photos.exists():
            make_photos(photos, count)
        for recipe in options.recipes:
            seconds, record = run(photos, recipe, options.work / f"root_{recipe}_{count}_{time.time_ns()}")
            evaluation: dict[str, Any] = next(
                (node["summary"] for node in record["nodes"] if node["component"] == "evaluate"), {}
            )
            accuracy = evaluation.get("accuracy", float("nan"))
            print(ROW.format(recipe, count, f"{accuracy:.1%}", f"{seconds:.1f}", record["state"]), flush=True)


def make_photos(folder: Path, count: int) -> None:
    """Writes `folder`/train and `folder`/test, with a folder for each class in both."""
    directory = find_prepared("cifar10_sample", EMBEDDED)
    assert directory is not None
    builder = tfds.builder_from_directory(directory)
    names, random = builder.info.features["label"].names, np.random.default_rng(0)
    for split, most in (("train", count), ("test", TEST_PHOTOS)):
        written: Counter[str] = Counter()
        for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
            name = names[example["label"]]
            if written[name] < most:
                file = folder / split / name / f"{written[name]}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                size = tuple(int(side) for side in random.integers(*SIDES_PIXELS, 2))
                Image.fromarray(example["image"]).resize(size, Image.Resampling.BICUBIC).save(file, quality=90)
                written[name] += 1


def run(photos: Path, recipe: str, root: Path) -> tuple[float, dict[str, Any]]:
    """Runs the whole pipeline in a process of its own. Returns its seconds and its record."""
    settings = {
        "ingest.dataset": str(photos),
        "train.recipe": recipe,
        "evaluate.thresholds": '{"accuracy":{"min":0.1}}',
    }
    command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", "--run_id=measured"]
    command += [f"--set={key}={value}" for key, value in settings.items()]
    started = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - started
    return seconds, json.loads((root / "runs" / "measured" / "run.json").read_bytes())


if __name__ == "__main__":
    main()
