"""Measures the way from a folder of photos to a published version: `pipeline.run` with the recipe `transfer`.

    python -m benchmarks.phone_photos --photos 1000 --work /tmp/phone_photos

The photos have 12 megapixels and 2 MB, and 5 classes that differ in their colors. Half of them lie sideways in the
file, as EXIF says. "peak" is the largest sum, over the command and all processes that it has started, of the memory of
each (proportional set size: pages that processes share count once); "disk" is the pipeline root, at its largest and at
the end, by the bytes of the photos. Both are sampled a few times a second. It needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.ingest import draw, jpeg

CLASSES = {
    "amber": (1.0, 0.8, 0.3),
    "blue": (0.4, 0.5, 1.0),
    "green": (0.4, 1.0, 0.4),
    "rose": (1.0, 0.4, 0.7),
    "white": (1.0, 1.0, 1.0),
}
DRAWN = 8  # different pictures; the others are shifted
SETTINGS = ("train.recipe=transfer", 'evaluate.thresholds={"accuracy": {"min": 0.5}}')
_SAMPLE_SECONDS = 0.2


class Measured(NamedTuple):
    """The measurement of one run."""

    photos: int
    seconds: float
    peak_gigabytes: float
    largest_disk_fraction: float  # of the bytes of the photos
    final_disk_fraction: float


def write_photos(folder: Path, count: int) -> Path:
    """Writes photos as `<folder>/<class>/<number>.jpg`, unless they are there already, and returns the folder."""
    drawn = [np.asarray(draw(seed)) for seed in range(DRAWN)]
    for number in range(count):
        name, tint = list(CLASSES.items())[number % len(CLASSES)]
        file = folder / name / f"{number:04d}.jpg"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            shifted = np.roll(drawn[number // len(CLASSES) % DRAWN], (37 * number, 91 * number), (0, 1))
            image = Image.fromarray((shifted * np.float32(tint)).astype(np.uint8))
            file.write_bytes(jpeg(image, is_sideways=number // len(CLASSES) % 2 == 1, is_p3=False))
    return folder


def measure(photos: Path, root: Path) -> Measured:
    """Runs the whole line on the photos. Raises CalledProcessError if nothing is published."""
    settings = (f"ingest.dataset={photos}", *SETTINGS)
    command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", *(f"--set={each}" for each in settings)]
    start, peak, largest = time.perf_counter(), 0, 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak, largest = max(peak, tree_bytes(process.pid)), max(largest, folder_bytes(root))
            time.sleep(_SAMPLE_SECONDS)
    seconds = time.perf_counter() - start
    if process.returncode or not list(root.glob("pushed/1")):
        raise subprocess.CalledProcessError(process.returncode, command)
    files = list(photos.rglob("*.jpg"))
    taken = sum(file.stat().st_size for file in files)
    return Measured(len(files), seconds, peak / 1e9, largest / taken, folder_bytes(root) / taken)


def tree_bytes(process: int) -> int:
    """Returns the memory of a process and of those that it has started, in bytes; 0 for those that have ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
        tasks = [task.read_text().split() for task in Path(f"/proc/{process}/task").glob("*/children")]
    except (OSError, StopIteration):
        return 0
    return own + sum(tree_bytes(int(child)) for children in tasks for child in children)


def folder_bytes(folder: Path) -> int:
    """Returns what all files below a folder take, in bytes, while others may write there. Hard links count once."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.stat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def main() -> None:
    """Makes the photos, runs the line on them, and prints a sentence and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the photos; needs 3 MB for each")
    options = parser.parse_args()
    work = options.work.absolute()
    photos = write_photos(work / f"{options.photos}-photos", options.photos)
    row = measure(photos, work / f"root-{time.time_ns()}")
    print(
        f"{row.photos} photos in {row.seconds:.1f} s ({row.photos / row.seconds:.1f} a second), with at most "
        f"{row.peak_gigabytes:.2f} GB of memory; on disk {row.largest_disk_fraction:.1%} of the photos, "
        f"{row.final_disk_fraction:.1%} at the end"
    )
    print(json.dumps(row._asdict()))


if __name__ == "__main__":
    main()
