"""Measures what scans photos with one worker process on one core, and with two on a core each.

    python -m benchmarks.workers --images 16000 --rounds 1 --work /tmp/workers

The workers are Beam's on one machine (`--direct_running_mode=multi_processing`). Each is kept on a core of its own, and
TensorFlow computes in one thread of each. "all" are the seconds of a component, or of the command for bulk prediction,
with the start of Beam, of the workers and of TensorFlow; "at work" is how many images a second were done from when each
worker had its first shard until the last shard was begun (of bulk prediction: done).

Images have 224 pixels. Normalize scans all of them, bulk prediction a quarter, embed a 16th, evaluate a 32nd.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.scale import BATCH_SIZE, SMALL, Line
from benchmarks.synthetic_images import split_sizes

WORKERS = (1, 2)
SHARDS = 24  # of each scan by a component
SCANS = ("normalize", "embed", "evaluate")
PREDICT = "predict"
STAGES = (*SCANS, PREDICT)
TRAINING_STEPS = 10
LOOK_SECONDS = 0.05
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
WORKER_PROGRAM = b"apache_beam.runners.worker.sdk_worker_main"


class Measured(NamedTuple):
    """What one stage did with so many workers."""

    stage: str
    images: int
    workers: int
    seconds: float  # of all, with the start
    rate: float  # images a second, at work


class Stages:
    """The data, the roots and the commands of all stages."""

    def __init__(self, work: Path, images: int, classes: int) -> None:
        self._images, self._line = images, Line(work, images, classes, TRAINING_STEPS)
        self._root = self._line.folder / "workers-root"
        self._photos = self._line.folder / "photos"
        self._few = images // 32
        # Where `inspect` is asked for, the test images are embedded, too.
        self.images = {"normalize": images, "embed": 2 * self._few, "evaluate": self._few, PREDICT: images // 4}

    def prepare(self) -> None:
        """Writes the data, and publishes a small network, unless that was done already."""
        self._line.prepare()
        if not self._photos.exists():
            files = sorted((self._line.folder / "images").rglob("*.jpg"))[: self.images[PREDICT]]
            self._photos.mkdir()
            for number, file in enumerate(files):
                (self._photos / f"{number:06d}.jpg").hardlink_to(file)
        if not (self._root / "pushed" / "1").exists():
            subprocess.run([*self._run(self._few), "--set=push.variants=[]"], check=True, stdout=subprocess.DEVNULL)

    def measure(self, stage: str, workers: int) -> Measured:
        """Runs one stage."""
        if stage == PREDICT:
            return self._measure_prediction(workers)
        run_id = f"{stage}-{workers}-{uuid.uuid4().hex[:8]}"
        size = self.images[stage] // SHARDS
        command = self._run(self.images[stage] if stage == "normalize" else self._few)
        command += [f"--to={stage}", f"--force={stage}", f"--set={stage}.shard_examples={size}"]
        command += [f"--run_id={run_id}", "--output=json", *(["--set=inspect={}"] if stage == "embed" else [])]
        begun = self._root / "runs" / run_id / "nodes" / f"{stage}.begun"
        printed, _, rate = _watch([*command, *_beam(workers)], workers, lambda: [size] * _line_count(begun))
        report = json.loads(printed.splitlines()[-1])
        node = next(node for node in report["nodes"] if node["component"] == stage)
        if node["state"] != "ran":
            raise SystemExit(f"{stage}: {node['state']}. {report['reasons']}")
        return Measured(stage, self.images[stage], workers, node["seconds"], rate)

    def _measure_prediction(self, workers: int) -> Measured:
        rows = self._line.folder / f"rows-{uuid.uuid4().hex[:8]}"
        places = [f"--pipeline_root={self._root}", f"--input={self._photos}", f"--output={rows}"]
        command = [sys.executable, "-m", "pipeline.predict", *places, *_beam(workers)]
        _, seconds, rate = _watch(command, workers, _Rows(rows).sizes)
        return Measured(PREDICT, self.images[PREDICT], workers, seconds, rate)

    def _run(self, images: int) -> list[str]:
        """Returns the command that runs the line on so many images of each split."""
        config: dict[str, Any] = {
            **SMALL,
            "ingest": {
                "dataset": str(self._line.folder / "prepared"),
                "splits": {
                    split: f"{split}[:{min(images, count)}]" for split, count in split_sizes(self._images).items()
                },
            },
            "train": {**SMALL["train"], "batch_size": BATCH_SIZE, "epochs": TRAINING_STEPS * BATCH_SIZE / images},
        }
        path = self._line.folder / f"{images}.json"
        path.write_text(json.dumps(config, indent=1))
        return [sys.executable, "-m", "pipeline.run", f"--config={path}", f"--pipeline_root={self._root}"]


class _Rows:
    """The files of rows that are done, each of which is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._known = folder, dict[str, int]()

    def sizes(self) -> list[int]:
        """Returns the number of photos in each file."""
        import pyarrow.parquet as pq

        for file in self._folder.glob("*.parquet"):
            if file.name not in self._known:
                self._known[file.name] = pq.read_metadata(file).num_rows
        return list(self._known.values())


def _line_count(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _beam(workers: int) -> list[str]:
    return ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]


def _watch(command: Sequence[str], workers: int, shards: Callable[[], list[int]]) -> tuple[str, float, float]:
    """Runs a command on as many cores as workers.

    `shards` returns the sizes of the shards that were begun, or are done. Returns what it printed, its seconds, and the
    images a second.
    """
    started, seen = time.monotonic(), list[tuple[float, int]]()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD},
        preexec_fn=lambda: os.sched_setaffinity(0, range(workers)),
    )
    printed: list[str] = []
    reader = threading.Thread(target=lambda: printed.append(process.stdout.read() if process.stdout else ""))
    reader.start()
    while process.poll() is None:
        sizes = shards()
        if len(sizes) >= workers and (not seen or sum(sizes) > seen[-1][1]):
            seen.append((time.monotonic(), sum(sizes)))
        _keep_apart(process.pid, workers)
        time.sleep(LOOK_SECONDS)
    reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}: {printed[0]}")
    (first, few), (last, many) = seen[0], seen[-1]
    rate = (many - few) / (last - first) if len(seen) > 1 else math.nan  # too few shards to tell
    return printed[0], time.monotonic() - started, rate


def _keep_apart(parent: int, workers: int) -> None:
    """Lets each worker process below `parent` run on one core, with all its threads."""
    with contextlib.suppress(OSError):  # a process that ends meanwhile
        for number, process in enumerate(sorted(_worker_processes(parent))):
            for thread in os.listdir(f"/proc/{process}/task"):
                os.sched_setaffinity(int(thread), [number % workers])


def _worker_processes(parent: int) -> Iterator[int]:
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if WORKER_PROGRAM in words:
                yield child
            else:
                yield from _worker_processes(child)


def measure(stages: Stages, names: Sequence[str], rounds: int) -> list[Measured]:
    """Measures each stage with each number of workers, in turns, and returns all measurements."""
    rows = []
    for name in names:
        for workers in WORKERS * rounds:
            rows.append(stages.measure(name, workers))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Measured]) -> str:
    """Returns a table with a row per stage: the medians with one worker and with two, and how much faster two are."""
    titles = ("stage", "images", "all, s: 1 worker", "2", "times", "at work, images/s: 1 worker", "2", "times")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for stage, images in {row.stage: row.images for row in rows}.items():
        of = [[row for row in rows if row.stage == stage and row.workers == workers] for workers in WORKERS]
        one, two = (median(row.seconds for row in each) for each in of)
        slow, fast = (median(row.rate for row in each) for each in of)
        lines.append(
            f"| {stage} | {images:,} | {one:.1f} | {two:.1f} | {one / two:.2f} | {slow:.1f} | {fast:.1f} | "
            f"{fast / slow:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Makes the data, measures all stages and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the data and the pipeline roots")
    options = parser.parse_args()
    stages = Stages(options.work.absolute(), options.images, options.classes)
    stages.prepare()
    print(table(measure(stages, options.stages, options.rounds)))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
