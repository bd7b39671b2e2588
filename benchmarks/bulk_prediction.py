"""Measures bulk prediction beside the bare model: how many photos a second one process does, and what it holds.

    python -m benchmarks.bulk_prediction --pipeline_root pipeline_output --photos 2000 --rounds 3 --work /tmp/bulk

"bare" classifies images that lie in memory in the model's size, in batches of the same size. "bulk" is what a worker
does with JPEG files on disk: it reads, decodes, turns and resizes them on all cores, classifies them, and writes the
rows. Both take turns in one process, on all cores, with the model loaded. "rate" is bulk divided by bare, round by
round. "peak" is the memory of the process at its largest, with TensorFlow. The start of Beam and the listing are left
out; `--listed` measures the listing alone: it plans so many empty files, and predicts none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.synthetic_images import SyntheticImages

CLASSES = 10
_FILES_A_FOLDER = 10_000


class Taken(NamedTuple):
    """The seconds that one round took, by the clock and of the processor."""

    bare: float
    bare_processor: float
    bulk: float
    bulk_processor: float

    @property
    def rate(self) -> float:
        """How fast bulk prediction is, as a fraction of the bare model."""
        return self.bare / self.bulk


def main() -> None:
    """Prints a line for each round, the medians, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--pipeline_root", type=Path, default=Path("pipeline_output"), metavar="DIR")
    add("--photos", type=int, default=2000)
    add("--rounds", type=int, default=3)
    add("--listed", type=int, default=0, metavar="N", help="plans N empty files instead")
    add("--work", type=Path, required=True, help="a folder for the photos; needs 12 kB for each")
    options = parser.parse_args()
    work = options.work.absolute()
    if options.listed:
        measure_listing(work / f"{options.listed}-listed", options.listed)
        return
    folder = write_photos(work / f"{options.photos}-photos", options.photos)
    measure(options.pipeline_root, folder, options.rounds)


def write_photos(folder: Path, count: int) -> Path:
    """Writes JPEG files of 224 pixels, unless they are there already, and returns the folder."""
    images = SyntheticImages(CLASSES)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / f"{number:06d}.jpg"
        if not file.exists():
            file.write_bytes(images.jpeg(number % CLASSES, number // CLASSES))
    return folder


def measure(root: Path, folder: Path, rounds: int) -> None:
    """Lets the bare model and the whole of bulk prediction take turns."""
    from components.batch_size import max_batch_size
    from pipeline.predict.bulk import MOST_IMAGES, predict
    from pipeline.predict.photo_source import FolderSource
    from pipeline.predict.rows_folder import RowsFolder
    from pipeline.predict.served import find_version, load
    from pipeline.predict.shards import cut

    model, source = load(find_version(root.absolute())), FolderSource(str(folder))
    shards = list(cut(source.photos(), "benchmark"))
    height, width, count = model.card.image_height, model.card.image_width, sum(len(shard.names) for shard in shards)
    batch_size = max_batch_size(height, width, MOST_IMAGES)
    images = np.random.default_rng(0).integers(0, 255, (batch_size, height, width, 3), np.uint8)
    rows = RowsFolder(f"{folder}-rows")

    def bare() -> None:
        for _ in range(-(-count // batch_size)):
            model.classify(images)

    def bulk() -> None:
        for shard in shards:
            rows.write(shard.digest, list(predict(model, source.find(shard.names))))

    model.classify(images)  # the first one builds the graph
    next(predict(model, source.find(shards[0].names[:1])))
    figures = []
    for number in range(rounds):
        taken = Taken(*_seconds(bare), *_seconds(bulk))
        figures.append(taken)
        print(
            f"round {number + 1}: bare {count / taken.bare:.1f}, bulk {count / taken.bulk:.1f} a second, rate "
            f"{taken.rate:.3f}; processor ms each: bare {1000 * taken.bare_processor / count:.1f}, bulk "
            f"{1000 * taken.bulk_processor / count:.1f}",
            flush=True,
        )
    rate = median(taken.rate for taken in figures)
    print(
        f"{count} photos of 224 pixels, model of {height} x {width}: rate {rate:.3f}, peak {_peak_megabytes():.0f} MB"
    )
    print(json.dumps({"seconds": figures, "peak_megabytes": _peak_megabytes()}))


def measure_listing(folder: Path, count: int) -> None:
    """Lists so many files in folders of 10,000, cuts them into shards, and counts what that adds to the memory."""
    from pipeline.predict.photo_source import FolderSource
    from pipeline.predict.rows_folder import RowsFolder
    from pipeline.predict.shards import cut

    for file in _files(folder, count):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    rows, before = RowsFolder(f"{folder}-rows"), _peak_megabytes()
    shards = {}

    def plan() -> None:
        for shard in cut(FolderSource(str(folder)).photos(), "benchmark"):
            rows.write_names(shard.digest, shard.names)
            shards[shard.digest] = len(shard.names)

    seconds, _ = _seconds(plan)
    added = _peak_megabytes() - before
    print(f"{sum(shards.values()):,} files in {len(shards):,} shards: {seconds:.1f} s, {added:.1f} MB more than before")


def _files(folder: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        yield folder / f"{number // _FILES_A_FOLDER:03d}" / f"IMG_{number:07d}.jpg"


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Returns the seconds by the clock, and those of the processor in all threads."""
    started = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started[0], time.process_time() - started[1]


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
