"""Measures how accurate recipes are with a few photos of each class, from the command to the published version.

    python -m benchmarks.few_photos --work /tmp/few_photos --recipes transfer small_data --counts 5 10 30 100

The photos are images of the embedded sample, enlarged to 300 to 420 pixels a side and stored as JPEG: as many of each
class to train on as `--counts` says, and others to judge by. Seconds are those of the whole command.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from components.ingest.sources import EMBEDDED, find_prepared

TEST_PHOTOS = 100
SIDES_PIXELS = (300, 421)
FIGURES = "figures.jsonl"  # below --work: a line for each run
ENDED_WELL = ("pushed", "not blessed", "nothing new")
ROW = "{:<12} {:>8} {:>10} {:>9} {:<10}"


def main() -> None:
    """Prints a row for each recipe and each number of photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for photos and pipeline roots")
    parser.add_argument("--recipes", nargs="+", default=["transfer", "small_data"])
    parser.add_argument("--counts", nargs="+", type=int, default=[5, 10, 30, 100], help="photos of each class")
    parser.add_argument("--test_photos", type=int, default=TEST_PHOTOS, help="photos of each class to judge by")
    add_settings(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="measures nothing, and draws an SVG of what was")
    options = parser.parse_args()
    if options.plot:
        draw(read_figures(options.work / FIGURES, options.test_photos, options.settings), options.plot)
        return
    print(ROW.format("recipe", "photos", "accuracy", "seconds", "outcome"))
    for count in options.counts:
        photos = options.work / f"photos_{count}_{options.test_photos}"
        if not photos.exists():
            make_photos(photos, count, options.test_photos)
        for recipe in options.recipes:
            seconds, record = run(
                photos, recipe, options.work / f"root_{recipe}_{count}_{time.time_ns()}", options.settings
            )
            summaries: dict[str, Any] = {node["component"]: node["summary"] for node in record["nodes"]}
            accuracy = summaries["evaluate"]["accuracy"]
            print(ROW.format(recipe, count, f"{accuracy:.1%}", f"{seconds:.1f}", record["state"]), flush=True)
            figures = {"recipe": recipe, "photos": count, "accuracy": accuracy, "seconds": seconds}
            figures |= {"test_photos": options.test_photos, "settings": options.settings}
            with (options.work / FIGURES).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(figures) + "\n")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--set`, for other values of the config, to a benchmark that runs the pipeline."""
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of the config"
    )


def make_photos(folder: Path, count: int, test_count: int = TEST_PHOTOS) -> None:
    """Writes `folder`/train and `folder`/test, with a folder for each class in both, and so many photos in that.

    Exits if the sample has fewer of a class.
    """
    directory = find_prepared("cifar10_sample", EMBEDDED)
    assert directory is not None
    builder = tfds.builder_from_directory(directory)
    names, random = builder.info.features["label"].names, np.random.default_rng(0)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for split, most in (("train", count), ("test", test_count)):
        written: Counter[str] = Counter()
        for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
            name = names[example["label"]]
            if written[name] < most:
                file = unfinished / split / name / f"{written[name]}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                size = tuple(int(side) for side in random.integers(*SIDES_PIXELS, 2))
                Image.fromarray(example["image"]).resize(size, Image.Resampling.BICUBIC).save(file, quality=90)
                written[name] += 1
        if (fewest := min(written[name] for name in names)) < most:
            raise SystemExit(f"The sample has {fewest} images of a class in its split {split}; {most} are asked for.")
    unfinished.rename(folder)


def run(
    photos: Path, recipe: str, root: Path, others: Sequence[str] = (), run_id: str = "measured"
) -> tuple[float, dict[str, Any]]:
    """Runs the whole pipeline in a process of its own. Returns its seconds and its record. Exits if the run fails."""
    settings = {
        "ingest.dataset": str(photos),
        "train.recipe": recipe,
        "evaluate.thresholds": '{"accuracy":{"min":0.1}}',
    }
    command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", f"--run_id={run_id}"]
    command += [f"--set={setting}" for setting in (*(f"{key}={value}" for key, value in settings.items()), *others)]
    started = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - started
    record = json.loads((root / "runs" / run_id / "run.json").read_bytes())
    if record["state"] not in ENDED_WELL:
        raise SystemExit(f"The run {run_id} in {root} has ended as `{record['state']}`: see above.")
    return seconds, record


def read_figures(file: Path, test_photos: int, settings: list[str]) -> dict[str, dict[int, float]]:
    """Returns the accuracy, 0-1, of the last run with these options, by recipe and number of photos."""
    found: dict[str, dict[int, float]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        figures = json.loads(line)
        if (figures["test_photos"], figures["settings"]) != (test_photos, settings):
            continue
        found.setdefault(figures["recipe"], {})[figures["photos"]] = figures["accuracy"]
    return found


def draw(accuracies: dict[str, dict[int, float]], file: Path) -> None:
    """Draws the accuracy of each recipe by the number of photos of each class, and writes the plot as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "few_photos", "font.size": 10}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for recipe, points in accuracies.items():
            counts, values = zip(*sorted(points.items()), strict=True)
            (line,) = axes.plot(counts, values, marker="o", markersize=4)
            axes.annotate(
                f"{recipe} {values[-1]:.1%}",
                (counts[-1], values[-1]),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
                annotation_clip=False,
            )
        every = sorted({count for points in accuracies.values() for count in points})
        axes.set_xscale("log")
        axes.set_xticks(every, labels=map(str, every), minor=False)
        axes.minorticks_off()
        axes.set(xlabel="photos of each class", ylabel="accuracy", ylim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()
