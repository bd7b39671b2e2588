"""Classifies more and more photos with the command, and shows that its memory does not grow with their number.

    python -m benchmarks.million_photos --photos 20000 1000000 --work /tmp/million

The photos are PNG files of 32 pixels, a thousand in each folder. Those of one folder are hard links to one file, so
that a million of them take 4 MB of disk beside their names. `python -m pipeline.predict` lists them, classifies each,
and writes a row for each, in one process; "peak" is the largest memory of that process (ru_maxrss), with TensorFlow,
Beam and the listing. Rows of earlier measurements are removed first.

The model is a published version, or, without `--pipeline_root`, one layer with ten classes: then all the rest is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.bulk_prediction import save_version
from components.registry.layout import version_folder

CLASSES = 10
FOLDER_PHOTOS = 1000
SIDE_PIXELS = 32


class Measured(NamedTuple):
    """What the command took for one number of photos."""

    photos: int
    listing_seconds: float  # from its start until all photos are listed
    seconds: float  # of all
    peak_megabytes: float
    row_files: int
    row_megabytes: float

    @property
    def rate(self) -> float:
        """Photos a second after they were listed, with the imports of TensorFlow and Beam and the start of both."""
        return self.photos / (self.seconds - self.listing_seconds)


def write_photos(folder: Path, count: int) -> Path:
    """Makes the folder with so many names, unless it is there already, and returns it."""
    done, noise = folder / "done.txt", np.random.default_rng(0)
    if done.exists():
        return folder
    for start in range(0, count, FOLDER_PHOTOS):
        inner = folder / f"{start // FOLDER_PHOTOS:05d}"
        inner.mkdir(parents=True, exist_ok=True)
        first = inner / "IMG_0000.png"
        Image.fromarray(noise.integers(0, 255, (SIDE_PIXELS, SIDE_PIXELS, 3), np.uint8)).save(first)
        for number in range(1, min(FOLDER_PHOTOS, count - start)):
            (inner / f"IMG_{number:04d}.png").hardlink_to(first)
    done.touch()
    return folder


def make_root(root: Path) -> Path:
    """Writes a root with a version of one layer, unless it is there already, and returns it."""
    import tensorflow as tf

    matrix = tf.constant(np.random.default_rng(0).normal(size=(3, CLASSES)), tf.float32)

    def classify(images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.reduce_mean(images / 255, axis=(1, 2)) @ matrix)

    save_version(version_folder(root, 1), tf.Module(), classify, SIDE_PIXELS, CLASSES)
    return root


def measure(root: Path, folder: Path, count: int) -> Measured:
    """Runs the command for all photos of the folder. Ends the program if the command fails, or a row is missing."""
    rows = folder.with_name(f"{folder.name}-rows")
    shutil.rmtree(rows, ignore_errors=True)
    places = [f"--pipeline_root={root}", f"--input={folder}", f"--output={rows}"]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.predict", *places], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    listed, last = 0.0, ""
    for line in process.stdout:
        if " of them predicted before" in line:
            listed = time.monotonic() - started
        last = line
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if not listed or process.returncode or f": {count:,} photos, 0 of them without a prediction" not in last:
        raise SystemExit(f"pipeline.predict ended with exit code {process.returncode}: {last}")
    files = list(rows.glob("*.parquet"))
    megabytes = sum(file.stat().st_size for file in files) / (1 << 20)
    return Measured(count, listed, seconds, usage.ru_maxrss / 1024, len(files), megabytes)


def table(measured: list[Measured]) -> str:
    """Returns a table with a row per number of photos."""
    titles = ("photos", "listed, s", "all, s", "photos/s with the start", "peak, MB", "files of rows", "rows, MB")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    lines += [
        f"| {each.photos:,} | {each.listing_seconds:.1f} | {each.seconds:.1f} | {each.rate:.0f} | "
        f"{each.peak_megabytes:.0f} | {each.row_files:,} | {each.row_megabytes:.1f} |"
        for each in measured
    ]
    return "\n".join(lines)


def main() -> None:
    """Prints a table, the peak at the most photos divided by that at the fewest, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--pipeline_root", type=Path, metavar="DIR", help="takes the latest version that is published there")
    add("--photos", type=int, nargs="+", default=[20_000, 1_000_000])
    add("--work", type=Path, required=True, help="a folder for the names; a million of them need a million of links")
    options = parser.parse_args()
    root = options.pipeline_root.absolute() if options.pipeline_root else make_root(options.work.absolute() / "root")
    measured = []
    for count in options.photos:
        folder = write_photos(options.work.absolute() / f"{count}-photos", count)
        measured.append(measure(root, folder, count))
        print(table(measured[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(measured))
    fewest, most = min(measured), max(measured)
    print(f"peak at {most.photos:,} by peak at {fewest.photos:,}: {most.peak_megabytes / fewest.peak_megabytes:.3f}")
    print(json.dumps([each._asdict() for each in measured]))


if __name__ == "__main__":
    main()
