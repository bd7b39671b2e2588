"""Runs the benchmarks one after another, in a quick size, for at most a quarter of an hour.

    python -m benchmarks.all --quick
    python -m benchmarks.all --quick --only train many_classes
    python -m docs.generate            # makes docs/benchmarks/quick.md of the results

Each result is a JSON file in docs/benchmarks/quick: the command, what it printed, how long it took, the date, and the
machine, whose matrix products are measured before and after. Quick figures are for comparing one state of the code with
another; the other pages hold those of longer runs. A benchmark that fails ends with its error, and the next one begins.
Those for which no time is left are named, and their earlier results stay: `--only` runs them.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.limited import run_limited

RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks" / "quick"
# WORK stands for a folder that is removed at the end, and ROOT for a root in it with two published versions.
WORK = "WORK"
ROOT = f"{WORK}/root"
_PUBLISH = (
    f"pipeline.run --pipeline_root={ROOT} --set train.recipe=small_data --set train.epochs=1 "
    """--set 'evaluate.thresholds={"accuracy":{"min":0.1}}' --set train.random_seed="""
)
_VERSIONS, _SAMPLE = f"{ROOT}/pushed", "components/datasets/cifar10_sample/1.0.0"
_NO_TIMES = "push.measured_runs=0"  # published_files has them
_NO_PHONE = "push.variants=[]"  # phone_photos and coreml_variants measure what files for phones take
_WAYS = "'prediction, two models' 'component, two models, 11 slices' 'TFMA, two models, 11 slices'"
# If the time runs out, the last ones are not measured: those that take long for what they tell.
QUICK: Mapping[str, str] = {
    "train": "--recipe cifar81 --runs 1 --versus tutorial --step_seconds 1",
    "few_photos": f"--recipes transfer --counts 30 --test_photos 20 --set {_NO_PHONE} --work {WORK}/few_photos",
    "more_photos": f"--photos 5 --test_photos 20 --set {_NO_PHONE} --set {_NO_TIMES} --work {WORK}/more_photos",
    "phone_photos": f"--photos 15 --work {WORK}/phone_photos",
    "normalize": f"--images 500 --rounds 1 --work {WORK}/normalize",
    "ingest": f"--photos 10 --work {WORK}/ingest",
    "evaluate": f"{_VERSIONS}/2 --baseline {_VERSIONS}/1 --dataset {_SAMPLE} --ways {_WAYS}",
    "many_classes": "--images 10000 --classes 100",
    "gate": "--repeats 250",
    "near_copies": "--images 600 --copies 20",
    "many_vectors": f"--images 5000 --classes 10 --work {WORK}/many_vectors",
    "published_files": f"{_VERSIONS}/2",
    "clients": f"--pipeline_root {ROOT} --images 100",
    "demo": f"--pipeline_root {ROOT} --seconds 2",
    "bulk_prediction": f"--photos 200 --rounds 1 --model_threads 1 --work {WORK}/bulk_prediction",
    "million_photos": f"--photos 1000 5000 --work {WORK}/million_photos",
    "publishing": "--pushes 200 --life_seconds 1",
    "schedule": "--ticks 2",
    "file_names": f"--files 20000 --rounds 1 --work {WORK}/file_names",
    "scale": f"--images 1000 --training_steps 10 --work {WORK}/scale",
    "coreml_variants": f"{_VERSIONS}/2 {_SAMPLE} --images 200 --variants float16 palettized4_grouped",
    "label_issues": f"--image_sizes 64 --draws 1 --work {WORK}/label_issues",
    "workers": f"--images 800 --rounds 1 --stages normalize --work {WORK}/workers",
}


def main() -> int:
    """Runs what the command line asks for. Returns 0 if every benchmark did."""
    options = make_parser().parse_args()
    names = options.only or list(QUICK)
    deadline = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as work:
        for command in preparation(names):
            print(f"preparing: {command}", file=sys.stderr, flush=True)
            # What needs it and does not find it says so itself.
            subprocess.run(_arguments(command, work), stdout=sys.stderr, check=False)
        done = [_run_one(name, work, deadline) for name in names]
    return int(not all(done))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", required=True, help="in the size that this program knows")
    parser.add_argument("--only", nargs="+", choices=list(QUICK), metavar="NAME", help=f"some of {', '.join(QUICK)}")
    parser.add_argument("--minutes", type=float, default=15.0, help="the most that all of it takes (15)")
    return parser


def preparation(names: Sequence[str]) -> list[str]:
    """Returns the commands that make what these benchmarks need: all of CIFAR-10, two published versions."""
    dataset = ["benchmarks.prepare_cifar10"] if "train" in names else []
    return dataset + (
        [_PUBLISH + f"0 --set {_NO_PHONE}", _PUBLISH + "1"] if any(ROOT in QUICK[name] for name in names) else []
    )


def _run_one(name: str, work: str, deadline: float) -> bool:
    """Stores the result of one benchmark. Returns whether it ended well; without time, it stores none."""
    left = deadline - time.monotonic()
    result = run(f"benchmarks.{name} {QUICK[name]}".strip(), work, left) if left > 0 else None
    if result is None:
        print(f"{name}: not measured, no time was left", file=sys.stderr, flush=True)
        return False
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"{name}: {result['seconds']} s, {result['processor_seconds']} s of the processor, exit code "
        f"{result['exit_code']}",
        file=sys.stderr,
        flush=True,
    )
    return bool(result["exit_code"] == 0)


def run(command: str, work: str, limit_seconds: float) -> dict[str, Any] | None:
    """Runs `python -m command` with WORK replaced by `work`, and returns the result as it is stored.

    Returns None if it did not end within the limit.
    """
    from benchmarks.machine import measure_machine

    before = measure_machine()
    finished = run_limited(_arguments(command, work), limit_seconds)
    if finished.exit_code is None:
        return None
    if finished.exit_code:
        print(finished.complaints[-2000:], file=sys.stderr)
    return {
        "command": f"python -m {command}",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "seconds": round(finished.seconds),
        "processor_seconds": round(finished.processor_seconds),
        "exit_code": finished.exit_code,
        "machine_before": before._asdict(),
        "machine_after": measure_machine()._asdict(),
        "printed": [line.rstrip() for line in finished.printed.replace(work, WORK).splitlines()],
    }


def _arguments(command: str, work: str) -> list[str]:
    return [sys.executable, "-m", *shlex.split(command.replace(WORK, work))]


if __name__ == "__main__":
    sys.exit(main())
