"""Measures ingest, normalize and evaluate with one worker process on one core, and with two on two cores.

    python -m benchmarks.workers --images 5000 --work /tmp/workers

The workers are Beam's on one machine (`--direct_running_mode=multi_processing`). Ingest of a folder is one call on one
worker, and uses all cores of that worker by itself. Times are those of a component, including the start of its workers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.scale import Line, Measured

STAGES = ("folder", "normalize", "evaluate")
WORKERS = (1, 2)
SHARDS = ("--set=normalize.shard_examples=100", "--set=evaluate.shard_examples=25")  # enough to distribute evenly


def measure(line: Line, stages: Sequence[str], rounds: int) -> list[Measured]:
    """Measures each stage with each number of workers, in turns, and returns all measurements."""
    rows = []
    for stage in stages:
        for workers in WORKERS * rounds:
            mode = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
            rows.append(line.measure(stage, workers, [*mode, *SHARDS]))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Measured]) -> str:
    """Returns a table with a row per stage: median seconds with one worker and with two, and the speedup."""
    images = {row.stage: row.images for row in rows}
    lines = ["| stage | images | 1 worker, s | 2 workers, s | times as fast |", "|---|---|---|---|---|"]
    for stage, count in images.items():
        one, two = (median(row.seconds for row in rows if row[:3] == (stage, count, workers)) for workers in WORKERS)
        lines.append(f"| {stage} | {count:,} | {one:.1f} | {two:.1f} | {one / two:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Makes the data, measures all stages and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the data and the pipeline roots")
    parser.add_argument("--prepare_only", action="store_true", help="only makes the data")
    options = parser.parse_args()
    line = Line(options.work.absolute(), options.images, options.classes, training_steps=10)
    line.prepare()
    if not options.prepare_only:
        print(table(measure(line, options.stages, options.rounds)))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
