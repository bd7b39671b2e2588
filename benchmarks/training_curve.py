"""Trains a recipe and judges it on the test images along the way, outside of the seconds of its training."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.machine import measure_machine
from components.artifacts import Examples, Statistics
from components.train import TrainConfig
from components.train.checkpoint import Checkpoint
from components.train.classifier import Classifier
from components.train.data import Batches, batches
from components.train.loop import Training
from components.train.progress import Progress
from components.train.step import smoothed_cross_entropy
from components.train.training import build_network, image_size

FILE = "curve.json"
FIRST_JUDGED_STEP = 10
Clock = Callable[[], float]


class Point(NamedTuple):
    """The figures of a classifier after `step` steps, on all test images."""

    step: int
    epoch: float
    seconds: float  # of training, from its first step, with the building of the graph
    processor_seconds: float  # of the same, summed over the cores
    accuracy: float  # 0-1
    loss: float  # mean cross-entropy, without label smoothing and without calibration


class Stopwatch:
    """Measures the seconds of a training, and those of the processor, over all its attempts."""

    def __init__(self, clocks: Sequence[Clock] = (time.monotonic, time.process_time)) -> None:
        self._clocks = clocks
        self.set([0.0] * len(clocks))

    def set(self, seconds: Sequence[float]) -> None:
        """Goes on from these readings."""
        self._zeros = [clock() - reading for clock, reading in zip(self._clocks, seconds, strict=True)]

    def read(self) -> list[float]:
        """Returns the seconds, one for each clock."""
        return [clock() - zero for clock, zero in zip(self._clocks, self._zeros, strict=True)]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leaves out what is done meanwhile."""
        before = self.read()
        yield
        self.set(before)


@dataclass
class Curve:
    """What a training has shown so far, and on which machines: one for each attempt."""

    about: dict[str, Any]  # what is trained on what, for whoever reads the file
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])  # that earlier attempts took
    machines: list[dict[str, Any]] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class CurveCheckpoint(Checkpoint):
    """A checkpoint that holds the curve as well, so that a killed training goes on with both of one moment."""

    curve: Curve

    def save(self, variables: list[tf.Variable], progress: dict[str, Any]) -> None:
        """Writes all of it, whole or not at all. See `Checkpoint`."""
        curve = {
            "seconds": self.curve.stopwatch.read(),
            "machines": self.curve.machines,
            "points": self.curve.points,
        }
        super().save(variables, {**progress, "curve": curve})

    def restore(self, variables: list[tf.Variable]) -> dict[str, Any] | None:
        """Restores the curve beside the variables. See `Checkpoint`."""
        progress = super().restore(variables)
        if progress is not None:
            saved = progress["curve"]
            self.curve.seconds = saved["seconds"]
            self.curve.machines[:0] = saved["machines"]
            self.curve.points = [Point(*point) for point in saved["points"]]
        return progress


class CurveProgress(Progress):
    """The progress of a training that adds a point to its curve after each of `judged_steps`."""

    def __init__(
        self, folder: Path, curve: Curve, judged_steps: Sequence[int], judge: Callable[[int], Point], file: Path
    ) -> None:
        super().__init__(folder, lambda done, total, note: None, clock=lambda: curve.stopwatch.read()[0])
        self._curve, self._judged_steps, self._judge, self._file = curve, set(judged_steps), judge, file

    def start(self, done_steps: int, total_steps: int, batch_size: int, history: list[dict[str, Any]]) -> None:
        """Starts the stopwatch where an earlier attempt has left it. See `Progress`."""
        self._curve.stopwatch.set(self._curve.seconds)
        super().start(done_steps, total_steps, batch_size, history)

    def steps_done(self, done_steps: int) -> None:
        """Judges, where that is asked for, before a checkpoint of this step is written. See `Progress`."""
        super().steps_done(done_steps)
        if done_steps in self._judged_steps:
            with self._curve.stopwatch.stopped():
                self._curve.points.append(self._judge(done_steps))
                write_curve(self._file, self._curve)
                print(describe(self._curve.points[-1]), flush=True)


def follow(
    config: TrainConfig, examples: Examples, statistics: Statistics, folder: Path, points: int, curve: Curve
) -> None:
    """Trains by `config`, and adds about `points` points to `curve`, evenly on a logarithmic scale of steps.

    It goes on from the checkpoint in `folder`, if there is one of the same config and data. The curve so far is in
    `folder`/curve.json after each point.
    """
    curve.machines.append(measure_machine()._asdict())
    height, width = image_size(config, examples)
    network = build_network(config, statistics.splits["train"], height, width, len(examples.class_names))
    classifier = Classifier(network, height, width, examples.class_names, config.mirror_averaging)
    train, test = (batches(examples, split, height, width, config.max_cache_megabytes) for split in ("train", "test"))
    training = Training(config, classifier, train, config.random_seed)
    steps = judged_steps(max(1, round(config.epochs * training.steps_per_epoch)), points)
    work = json.dumps([config.identity(), examples.content, examples.splits])
    checkpoint = CurveCheckpoint(folder / "checkpoint.npz", work, curve)
    training.resume(checkpoint)
    progress = CurveProgress(folder, curve, steps, _make_judge(training, test, curve), folder / FILE)
    training.run(None, checkpoint, progress)
    write_curve(folder / FILE, curve)


def judged_steps(total_steps: int, points: int) -> list[int]:
    """Returns the steps after which to judge: up to `points`, in equal ratios from the tenth to the last."""
    steps = np.geomspace(min(FIRST_JUDGED_STEP, total_steps), total_steps, points)
    return sorted({total_steps, *steps.round().astype(int).tolist()})


def describe(point: Point) -> str:
    """Returns the figures of a point as a line of text."""
    return (
        f"step {point.step}, epoch {point.epoch:.2f}: {point.accuracy:.2%}, cross-entropy {point.loss:.3f}, after "
        f"{point.seconds:,.1f} s of training"
    )


def write_curve(file: Path, curve: Curve) -> None:
    """Writes what is trained, the machines and the points as JSON, whole or not at all."""
    figures = {**curve.about, "machines": curve.machines, "points": [point._asdict() for point in curve.points]}
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(file)


def _make_judge(training: Training, test: Batches, curve: Curve) -> Callable[[int], Point]:
    classifier = training.classifier

    @tf.function(autograph=False)
    def judge_batch(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = classifier.logits(tf.cast(images, tf.float32))
        right = tf.math.count_nonzero(tf.argmax(logits, axis=-1) == labels)
        return right, tf.reduce_sum(smoothed_cross_entropy(labels, logits, 0.0))

    def judge(step: int) -> Point:
        seconds, processor_seconds = curve.stopwatch.read()
        right, losses = zip(*(judge_batch(images, labels) for images, labels in test.in_order()), strict=True)
        return Point(
            step=step,
            epoch=step / training.steps_per_epoch,
            seconds=seconds,
            processor_seconds=processor_seconds,
            accuracy=int(sum(right)) / test.count,
            loss=float(sum(losses)) / test.count,
        )

    return judge
