"""Tries the training on a GPU, and all that depends on it, within a few minutes.

    python -m benchmarks.gpu                        # eight minutes at most
    python -m benchmarks.gpu --quick                # tiny sizes, on a CPU as well: to try the command itself

Each part is a process of its own, with a limit of seconds that is a share of the minutes; what a part leaves of its
share is the last part's. A part that fails or does not end in time says so, and the next one begins. A row of text is
printed for each part as it ends, and at the end all figures as JSON. The exit code is 0 if every part ended and found
what it should.

It needs all of CIFAR-10, as TensorFlow Datasets prepares it (TFDS_DATA_DIR names another place), and no network.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from benchmarks.limited import run_limited

# The most that each part takes of the minutes. The last one gets whatever is left.
SHARES: Mapping[str, float] = {
    "device": 0.1,
    "cifar94": 0.2,
    "resnet50": 0.18,
    "export": 0.18,
    "precisions": 0.14,
    "cifar96": 1.0,
}
ROW = "{:<11} {:<9} {:>7}  {}"


class Outcome(NamedTuple):
    """What came of one part."""

    state: str  # "right", "wrong", "failed" or "late"
    seconds: float
    text: str
    figures: Mapping[str, Any]


def main() -> int:
    """Runs the parts. Returns 0 if all of them are right."""
    options = make_parser().parse_args()
    started = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    print(ROW.format("part", "state", "seconds", "what was found"), flush=True)
    with tempfile.TemporaryDirectory() as work:
        dataset = options.dataset or ("cifar10_sample" if options.quick else "cifar10")
        settings = json.dumps({"dataset": dataset, "work": work, "quick": options.quick})
        for name in ["device", *(name for name in SHARES if name in options.only and name != "device")]:
            left = 60 * options.minutes - (time.monotonic() - started)
            limit = min(60 * options.minutes * SHARES[name], left)
            outcome = run_part([sys.executable, "-m", "benchmarks.gpu_parts", name, settings], limit)
            outcomes[name] = outcome
            print(ROW.format(name, outcome.state, f"{outcome.seconds:.0f}", outcome.text), flush=True)
            if name == "device" and outcome.state != "right":
                break  # all other figures would be those of a CPU
    parts = {name: outcome._asdict() for name, outcome in outcomes.items()}
    today = datetime.now(timezone.utc).date().isoformat()
    print(json.dumps({"date": today, "minutes": options.minutes, "quick": options.quick, "parts": parts}))
    return int(any(outcome.state != "right" for outcome in outcomes.values()))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that all parts take (8)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and the embedded sample; no GPU is asked for")
    names = ", ".join(SHARES)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(SHARES),
        default=list(SHARES),
        metavar="PART",
        help=f"some of {names}; device is always looked at",
    )
    parser.add_argument("--dataset", help="in place of cifar10, as ingest.dataset; needs the splits train and test")
    return parser


def run_part(command: Sequence[str], limit_seconds: float) -> Outcome:
    """Runs the command, whose last line is JSON with `right`, `text` and `figures`, and ends it at the limit."""
    if limit_seconds <= 0:
        return Outcome("late", 0.0, "not begun: no time was left", {})
    finished = run_limited(command, limit_seconds)
    if finished.exit_code is None:
        return Outcome("late", finished.seconds, f"not done in {limit_seconds:.3g} s", {})
    if finished.exit_code:
        print(finished.complaints[-3000:], file=sys.stderr)
        return Outcome("failed", finished.seconds, last_line(finished.complaints), {})
    found = json.loads(finished.printed.splitlines()[-1])
    return Outcome("right" if found["right"] else "wrong", finished.seconds, found["text"], found["figures"])


def last_line(text: str) -> str:
    """Returns the last line that is not empty, which holds the message of an error."""
    return (text.strip().splitlines() or ["no message"])[-1]


if __name__ == "__main__":
    sys.exit(main())
