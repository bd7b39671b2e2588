"""Trains a recipe on all 50,000 training images of CIFAR-10 repeatedly, and measures its time and accuracy.

    python -m benchmarks.train --recipe cifar81 --target_accuracy 0.812 --runs 5 --versus tutorial
    python -m benchmarks.train --recipe cifar94 --runs 0            # single steps only: a minute

Each run is the component `Train` in a process of its own with a seed of its own; it never sees the 10,000 test images.
The training time is from the first step to the last. It includes building the graphs, but not reading the images or
starting the process. The recipe that `--versus` names is timed for a few steps; its time for all epochs is computed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple, TypeVar

from benchmarks.made_artifacts import run_to
from benchmarks.recipe_options import add_changes, config_of, parse_changes
from benchmarks.training_steps import StepFigures, measure_steps
from components.artifacts import Examples, Statistics
from components.component import Workspace
from components.train import Train, TrainConfig
from components.train.recipes import RECIPES

OF_EACH_RUN = {"random_seed", "mirror_averaging"}
Result = TypeVar("Result")


class RunFigures(NamedTuple):
    """The figures of one training, with its accuracy on the test images, 0-1."""

    seed: int
    single_view_accuracy: float
    mirrored_accuracy: float  # the mean of each image's and its mirror's log probabilities
    training_seconds: float
    evaluation_seconds: float  # of the single views
    images_per_second: float
    peak_megabytes: float


def ingest(dataset: str, root: Path) -> tuple[Examples, Statistics]:
    """Returns the artifacts of the first two components, made by the command that a user would type."""
    splits = 'ingest.splits={"train": "train", "test": "test"}'
    made = run_to("normalize", root, [f"ingest.dataset={dataset}", splits])
    return made.load("ingest", Examples), made.load("normalize", Statistics)


def train_once(config: TrainConfig, examples: Examples, statistics: Statistics, folder: Path) -> RunFigures:
    """Trains in the empty `folder`, measures the exported model's accuracy, and returns the figures."""
    workspace = Workspace(folder=folder / "model", scratch=folder / "scratch", root=folder)
    workspace.folder.mkdir()
    workspace.scratch.mkdir()
    model = Train(config).run(workspace, examples, statistics)
    figures = json.loads((workspace.folder / "logs" / "training.json").read_text())
    single_view, mirrored, evaluation_seconds = judge(model.saved_model, examples)
    return RunFigures(
        seed=config.random_seed,
        single_view_accuracy=single_view,
        mirrored_accuracy=mirrored,
        training_seconds=figures["seconds"],
        evaluation_seconds=evaluation_seconds,
        images_per_second=figures["images_per_second"],
        peak_megabytes=figures["peak_memory_bytes"] / 1e6,
    )


def judge(saved_model: Path, examples: Examples) -> tuple[float, float, float]:
    """Returns the accuracy of single views and of mirrored pairs on the test split, and the single views' seconds."""
    import numpy as np
    import tensorflow as tf

    from components.train.data import batches

    model = tf.saved_model.load(str(saved_model))
    _, height, width, _ = model.signatures["pixels"].structured_input_signature[1]["image"].shape
    images, labels = zip(*batches(examples, "test", height, width, 1000).in_order().as_numpy_iterator(), strict=True)

    def log_probabilities(step: int) -> np.ndarray:
        views = [tf.constant(batch[:, :, ::step], tf.float32) for batch in images]
        return np.log(np.concatenate([model.signatures["pixels"](image=view)["probabilities"] for view in views]))

    started = time.perf_counter()
    single = log_probabilities(1)
    seconds = time.perf_counter() - started
    pairs, truth = single + log_probabilities(-1), np.concatenate(labels)
    return float((single.argmax(1) == truth).mean()), float((pairs.argmax(1) == truth).mean()), seconds


def in_its_own_process(work: Callable[..., Result], *arguments: Any) -> Result:
    """Calls `work` in a new process, so that a measurement does not affect the next, and returns its result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def table(runs: Sequence[RunFigures], target_accuracy: float | None) -> str:
    """Returns a table with a row per run and the means, and how many runs reached the target."""
    lines = ["| seed | single view | mirrored | training s | evaluation s | images/s | peak MB |", "|---|" + "---|" * 6]
    for run in runs:
        lines.append(_row(str(run.seed), run))
    if len(runs) > 1:
        lines.append(_row("mean", RunFigures(*map(mean, zip(*runs, strict=True)))))
        deviation = stdev(run.single_view_accuracy for run in runs)
        lines.append(f"\nstandard deviation of the single view: {100 * deviation:.2f} points")
    if target_accuracy is not None:
        reached = sum(run.single_view_accuracy >= target_accuracy for run in runs)
        lines.append(f"{reached} of {len(runs)} runs reached {100 * target_accuracy:g} % in single view")
    return "\n".join(lines)


def _row(name: str, run: RunFigures) -> str:
    return (
        f"| {name} | {100 * run.single_view_accuracy:.2f} % | {100 * run.mirrored_accuracy:.2f} % | "
        f"{run.training_seconds:.1f} | {run.evaluation_seconds:.1f} | {run.images_per_second:,.0f} | "
        f"{run.peak_megabytes:,.0f} |"
    )


def describe(recipe: str, steps: StepFigures) -> str:
    """Returns the figures of a recipe's single steps as text."""
    return (
        f"{recipe}: {steps.images_per_second:,.0f} images/s at full size; {1000 * steps.gflop_per_image:,.0f} MFLOP an "
        f"image, {steps.gflop_per_second:.0f} GFLOP/s, {steps.rate_fraction:.2f} of the machine's {steps.precision} "
        f"matrix product (float32 {steps.float32_gflop_per_second:.0f}, bfloat16 {steps.bfloat16_gflop_per_second:.0f} "
        f"GFLOP/s); tf.data costs {100 * steps.data_cost_fraction:+.1f} %"
    )


def main() -> None:
    """Runs the benchmark and prints its tables, then all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--recipe", choices=sorted(RECIPES), default="cifar81")
    add_changes(parser)
    add("--target_accuracy", type=float, help="counts the runs whose single view reaches this, 0 to 1")
    add("--runs", type=int, default=1)
    add("--seed", type=int, default=0, help="the seed of the first run; the next runs count up")
    add("--versus", choices=sorted(RECIPES), help="also measures this recipe's steps and prints the ratio of times")
    add("--step_seconds", type=float, default=15.0, help="the time for measuring single steps of a recipe")
    add("--dataset", default="cifar10", help="as ingest.dataset; needs the splits train and test")
    options = parser.parse_args()
    changes = parse_changes(options.changes)
    if own := changes.keys() & OF_EACH_RUN:
        parser.error(f"--set {' and '.join(sorted(own))}: each run has its own (--seed), and is judged in both views")
    with tempfile.TemporaryDirectory() as work:
        data = ingest(options.dataset, Path(work))
        report = measure(options, changes, data, Path(work))
    print(json.dumps(report))


def measure(
    options: argparse.Namespace, changes: dict[str, Any], data: tuple[Examples, Statistics], work: Path
) -> dict[str, Any]:
    """Measures steps and runs, prints the tables on the way, and returns all figures."""
    names = [name for name in (options.recipe, options.versus) if name]
    configs = {name: config_of(name, changes if name == options.recipe else {}) for name in names}
    steps = {}
    for name, config in configs.items():
        steps[name] = in_its_own_process(measure_steps, config, *data, options.step_seconds)
        print(describe(name, steps[name]), flush=True)
    runs = []
    for seed in range(options.seed, options.seed + options.runs):
        config = configs[options.recipe].model_copy(update={"random_seed": seed, "mirror_averaging": False})
        with tempfile.TemporaryDirectory(dir=work) as folder:
            runs.append(in_its_own_process(train_once, config, *data, Path(folder)))
        print(_row(str(seed), runs[-1]), file=sys.stderr, flush=True)
    report = {"recipe": options.recipe, "changes": changes, "target_accuracy": options.target_accuracy}
    report |= {"steps": {name: figures._asdict() for name, figures in steps.items()}}
    report |= {"runs": [run._asdict() for run in runs]}
    if runs:
        print(table(runs, options.target_accuracy))
        flop = mean(run.training_seconds for run in runs) * steps[options.recipe].float32_gflop_per_second * 1e9
        print(f"training seconds times the float32 matrix product: {flop / 1e15:.3f} PFLOP")
    if runs and options.versus:
        other_seconds = configs[options.versus].epochs * data[0].example_counts["train"]
        other_seconds /= steps[options.versus].images_per_second
        ratio = other_seconds / mean(run.training_seconds for run in runs)
        print(f"{options.versus}: {other_seconds:,.0f} s for its epochs, {ratio:.0f} times as long")
        report |= {"versus": options.versus, "versus_seconds": other_seconds, "times_sooner": ratio}
    return report


if __name__ == "__main__":
    main()
