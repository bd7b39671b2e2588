"""Simulates a day of a schedule in a few minutes: photos arrive, some are broken, and processes are killed.

Photos of three classes from the embedded sample are in a folder that `python -m pipeline.schedule --on_change` watches.
Before each tick something happens; the table says what happened and how the tick ended. The model is too small to learn
much, so the gate accepts every model.

    python -m benchmarks.schedule --ticks 20
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow_datasets as tfds
from PIL import Image

import components
from pipeline.orchestrator.run_record import run_records

SAMPLE = Path(components.__file__).parent / "datasets" / "cifar10_sample" / "1.0.0"
CLASSES = ("airplane", "frog", "truck")
FIRST, MORE = 40, 10  # photos of each class, at the start and with each arrival
CONFIG = {
    "train": {
        "recipe": "small_data",
        "epochs": 1,
        "batch_size": 30,
        "widths": [8, 8, 8],
        "resolution_schedule": [[0, 1]],
    },
    "evaluate": {"thresholds": {"accuracy": {"min": 0.0}}},
    "push": {"variants": []},
}
PATIENCE_SECONDS = 600
OUTCOME = re.compile(r"^\S+ \S+  (changed: .*)$")


class Day:
    """The folder of photos, and the schedule that watches it. Methods without a result are events of the day."""

    def __init__(self, folder: Path) -> None:
        self.photos, self.root, self.config = folder / "photos", folder / "root", folder / "config.json"
        self.config.write_text(json.dumps({"ingest": {"dataset": str(self.photos)}, "normalize": {}, **CONFIG}))
        builder = tfds.builder_from_directory(str(SAMPLE))
        self._names = builder.info.features["label"].names
        self._images = iter(tfds.as_numpy(builder.as_dataset(split="train")))
        self._count = 0
        self._stopped = ""  # how the tick ended during which the schedule was stopped
        self._arrive(FIRST)
        self._start()

    def photos_arrive(self) -> None:
        """Adds ten photos of each class."""
        self._arrive(MORE)

    def nothing_new(self) -> None:
        """Puts a copy beside the folders of classes: the next run reads the photos and finds the same ones."""
        photo = next(self.photos.rglob("[0-9]*.png"))
        (self.photos / f"beside{time.time_ns()}.png").write_bytes(photo.read_bytes())

    def rubbish_arrives(self) -> None:
        """Adds more files that are not images than ingest accepts."""
        for number in range(30):
            (self.photos / CLASSES[0] / f"rubbish{number}.png").write_text("rubbish")

    def rubbish_goes(self) -> None:
        """Removes the broken files, so that the photos are the same as before."""
        for path in self.photos.rglob("rubbish*"):
            path.unlink()
        self.nothing_new()

    def run_is_killed(self) -> None:
        """Adds photos, and kills the run with SIGKILL while it trains."""
        os.kill(self._train_on_more(), signal.SIGKILL)

    def after_the_kill(self) -> None:
        """Does nothing: the schedule tries the killed run again by itself."""

    def schedule_and_run_are_killed(self) -> None:
        """Kills the schedule and its run with SIGKILL while the run trains, then starts the schedule again."""
        run = self._train_on_more()
        self._schedule.kill()
        os.kill(run, signal.SIGKILL)
        self._schedule.wait()
        self._start()

    def schedule_is_stopped(self) -> None:
        """Stops the schedule with SIGTERM while the run trains, then starts the schedule again."""
        self._train_on_more()
        self._schedule.terminate()
        self._stopped = f"{self.outcome()}; then "
        self._schedule.wait()
        self._start()

    def outcome(self) -> str:
        """Returns how the next tick ended. Raises SystemExit if the schedule ends first."""
        assert self._schedule.stdout is not None
        for line in self._schedule.stdout:
            if found := OUTCOME.match(line.rstrip()):
                stopped, self._stopped = self._stopped, ""
                return stopped + found[1]
        raise SystemExit(f"the schedule ended with exit code {self._schedule.wait()}")

    def end(self) -> None:
        """Stops the schedule."""
        self._schedule.terminate()
        self._schedule.wait()

    def _start(self) -> None:
        command = [sys.executable, "-m", "pipeline.schedule", "--on_change", "--poll_seconds=0.5", "--still_seconds=1"]
        places = [f"--config={self.config}", f"--pipeline_root={self.root}", "--backoff_seconds=5"]
        self._schedule = subprocess.Popen(
            [*command, *places], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def _arrive(self, count: int) -> None:
        wanted = dict.fromkeys(CLASSES, count)
        while any(wanted.values()):
            example = next(self._images)
            name = self._names[int(example["label"])]
            if wanted.get(name):
                wanted[name] -= 1
                self._count += 1
                folder = self.photos / name
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(example["image"]).save(folder / f"{self._count}.png")

    def _train_on_more(self) -> int:
        """Adds photos, waits until the run that they start is training, and returns the run's process number."""
        known = {record.run_id for record in run_records(self.root)}
        self._arrive(MORE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for record in run_records(self.root):
                train = self.root / "runs" / record.run_id / "nodes" / "train.json"
                if (
                    record.run_id not in known
                    and train.exists()
                    and json.loads(train.read_text())["state"] == "running"
                ):
                    return record.process
            time.sleep(0.05)
        raise SystemExit(f"no run has begun to train within {PATIENCE_SECONDS} s")


def main() -> None:
    """Prints one row per tick."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=20, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        day = Day(Path(folder))
        events = (
            *(day.nothing_new, day.photos_arrive, day.nothing_new, day.rubbish_arrives, day.rubbish_goes),
            *(day.run_is_killed, day.after_the_kill, day.schedule_and_run_are_killed, day.schedule_is_stopped),
        )
        try:
            print(f"| 1 | the schedule starts | {day.outcome()} |", flush=True)
            for tick in range(2, options.ticks + 1):
                event = events[(tick - 2) % len(events)]
                _happen(event)
                print(f"| {tick} | {event.__name__.replace('_', ' ')} | {day.outcome()} |", flush=True)
        finally:
            day.end()


def _happen(event: Callable[[], None]) -> None:
    time.sleep(1.1)  # file times may be in whole seconds
    event()


if __name__ == "__main__":
    main()
