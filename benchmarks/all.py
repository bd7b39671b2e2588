"""Runs the benchmarks one after another, in a size that takes a quarter of an hour on two fast cores.

    python -m benchmarks.all --quick
    python -m benchmarks.all --quick --only train many_classes
    python -m docs.generate            # makes docs/benchmarks/quick.md of the results

Each result is a JSON file in docs/benchmarks/quick: the command, what it printed, how long it took, the date, and the
machine, whose matrix products are measured before and after. Quick figures are for comparing one state of the code with
another; the other pages hold those of longer runs. A benchmark that fails ends with its error, and the next one begins.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks" / "quick"
# WORK stands for a folder that is removed at the end; there, the first two commands publish two versions.
WORK = "WORK"
_PUBLISH = (
    f"pipeline.run --pipeline_root={WORK}/root --set train.recipe=small_data --set train.epochs=4 "
    "--set evaluate.thresholds={} --set train.random_seed="
)
PREPARATION = ("benchmarks.prepare_cifar10", _PUBLISH + "0", _PUBLISH + "1")
_VERSIONS, _SAMPLE = f"{WORK}/root/pushed", "components/datasets/cifar10_sample/1.0.0"
QUICK: Mapping[str, str] = {
    "train": "--recipe cifar81 --runs 1 --versus tutorial --step_seconds 5",
    "few_photos": f"--recipes transfer --counts 30 --work {WORK}/few_photos",
    "more_photos": f"--photos 30 --work {WORK}/more_photos",
    "phone_photos": f"--photos 100 --work {WORK}/phone_photos",
    "normalize": f"--images 500 --rounds 1 --work {WORK}/normalize",
    "ingest": f"--photos 20 --work {WORK}/ingest",
    "evaluate": f"{_VERSIONS}/2 --baseline {_VERSIONS}/1 --dataset {_SAMPLE}",
    "many_classes": "--images 10000 --classes 100",
    "gate": "",
    "near_copies": "--copies 100",
    "label_issues": f"--image_sizes 160 --draws 1 --work {WORK}/label_issues",
    "coreml_variants": f"{_VERSIONS}/2 {_SAMPLE}",
    "demo": f"--pipeline_root {WORK}/root --seconds 2",
    "bulk_prediction": f"--pipeline_root {WORK}/root --photos 300 --rounds 2 --work {WORK}/bulk_prediction",
    "publishing": "--pushes 10",
    "review": f"--most 30 --work {WORK}/review",
    "schedule": "--ticks 3",
    "scale": f"--images 1000 --work {WORK}/scale",
    "workers": f"--images 1000 --rounds 1 --work {WORK}/workers",
}


def main() -> int:
    """Runs what the command line asks for. Returns 0 if every benchmark did."""
    options = make_parser().parse_args()
    names = options.only or list(QUICK)
    with tempfile.TemporaryDirectory() as work:
        for command in PREPARATION:
            print(f"preparing: {command}", file=sys.stderr, flush=True)
            subprocess.run(_arguments(command, work), stdout=sys.stderr, check=True)
        results = list(_run_all(names, work))
    return max(result["exit_code"] != 0 for result in results)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", required=True, help="in the size that this program knows")
    parser.add_argument("--only", nargs="+", choices=list(QUICK), metavar="NAME", help=f"some of {', '.join(QUICK)}")
    return parser


def _run_all(names: list[str], work: str) -> Iterator[dict[str, Any]]:
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        result = run(f"benchmarks.{name} {QUICK[name]}".strip(), work)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(f"{name}: {result['seconds']} s, exit code {result['exit_code']}", file=sys.stderr, flush=True)
        yield result


def run(command: str, work: str) -> dict[str, Any]:
    """Runs `python -m command` with WORK replaced by `work`, and returns the result as it is stored."""
    from benchmarks.machine import measure_machine

    before, started = measure_machine(), time.perf_counter()
    finished = subprocess.run(_arguments(command, work), capture_output=True, text=True)
    seconds = round(time.perf_counter() - started)
    if finished.returncode:
        print(finished.stderr[-2000:], file=sys.stderr)
    return {
        "command": f"python -m {command}",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "seconds": seconds,
        "exit_code": finished.returncode,
        "machine_before": before._asdict(),
        "machine_after": measure_machine()._asdict(),
        "printed": [line.rstrip() for line in finished.stdout.replace(work, WORK).splitlines()],
    }


def _arguments(command: str, work: str) -> list[str]:
    return [sys.executable, "-m", *shlex.split(command.replace(WORK, work))]


if __name__ == "__main__":
    sys.exit(main())
