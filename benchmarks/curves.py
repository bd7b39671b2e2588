"""Follows the accuracy of a recipe on the test images through its training, and draws recipes beside each other.

    python -m benchmarks.curves --recipe cifar81 --work /tmp/curves
    python -m benchmarks.curves --recipe tutorial --work /tmp/curves    # hours: a killed one goes on where it was
    python -m benchmarks.curves --work /tmp/curves --plot docs/benchmarks/curves.svg

The images are judged outside of the training seconds, and the training never sees them. What it found is in
WORK/RECIPE/curve.json after each point, with the machine of each attempt. A command that is started again goes on from
its last checkpoint, which is at most an epoch old, or five minutes; seconds after that checkpoint do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.recipe_options import add_changes, config_of, parse_changes

# Those that the Keras example network reports after its 100 epochs.
TUTORIAL = {"accuracy": (0.812, "81.2%"), "loss": (0.714, "0.714")}
FILE = "curve.json"  # below WORK/RECIPE


def main() -> None:
    """Trains what is asked for and prints a line for each point, or draws what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for artifacts, checkpoints and curves")
    parser.add_argument("--recipe", help="the recipe to train")
    add_changes(parser)
    parser.add_argument("--dataset", default="cifar10", help="as ingest.dataset; needs the splits train and test")
    parser.add_argument("--points", type=int, default=30, help="about how often to judge")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="trains nothing, and draws an SVG of what was trained"
    )
    options = parser.parse_args()
    if bool(options.recipe) == bool(options.plot):
        parser.error("give --recipe to train one, or --plot to draw what was trained")
    if options.points < 1:
        parser.error(f"--points {options.points}: it takes one at least, after the last step")
    if options.plot:
        draw(read_curves(options.work), options.plot)
    else:
        train(options)


def train(options: argparse.Namespace) -> None:
    """Trains the recipe to its end, from where an earlier command has left it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    changes = parse_changes(options.changes)
    config = config_of(options.recipe, changes)
    about = {"recipe": options.recipe, "changes": changes, "dataset": options.dataset}
    folder = options.work / options.recipe
    refuse_another(folder / FILE, about)

    from benchmarks.train import ingest
    from benchmarks.training_curve import Curve, follow

    examples, statistics = ingest(options.dataset, options.work / "root")
    folder.mkdir(parents=True, exist_ok=True)
    follow(config, examples, statistics, folder, options.points, Curve(about))


def refuse_another(file: Path, about: dict[str, Any]) -> None:
    """Ends the command if `file` holds the curve of another training, which this one would replace."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else about
    others = {key: found.get(key) for key in about if found.get(key) != about[key]}
    if others:
        sys.exit(
            f"{file} is the curve of a training with {json.dumps(others)}, and this one has "
            f"{json.dumps({key: about[key] for key in others})}. Name another folder as --work, or remove "
            f"{file.parent}."
        )


def read_curves(work: Path) -> dict[str, list[dict[str, float]]]:
    """Returns the points of each recipe that was trained in `work`, the shortest training first.

    Exits if there are none.
    """
    files = sorted(work.glob(f"*/{FILE}"))
    curves = {file.parent.name: json.loads(file.read_text(encoding="utf-8"))["points"] for file in files}
    if not curves:
        sys.exit(f"There is no */{FILE} in {work}: train a recipe first, with --recipe.")
    return dict(sorted(curves.items(), key=lambda curve: curve[1][-1]["seconds"]))


def draw(curves: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Draws accuracy and cross-entropy by the seconds of training, which have a logarithmic axis, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "curves", "font.size": 10}):
        figure = Figure(figsize=(9.6, 3.8), layout="constrained")
        accuracy, loss = figure.subplots(1, 2)
        for axes, key in ((accuracy, "accuracy"), (loss, "loss")):
            for recipe, points in curves.items():
                seconds, values = zip(*((point["seconds"], point[key]) for point in points), strict=True)
                axes.plot(seconds, values, marker="o", markevery=[-1], label=_label(recipe, points[-1]))
            value, text = TUTORIAL[key]
            axes.axhline(value, color="gray", linestyle="--", linewidth=1)
            axes.text(0.01, value, f"the tutorial's {text}", transform=axes.get_yaxis_transform(), va="bottom")
            axes.set(xscale="log", xlabel="seconds of training")
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.minorticks_off()
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3)
        accuracy.set(ylabel="accuracy on the test images", ylim=(0, 1))
        accuracy.yaxis.set_major_formatter(PercentFormatter(1))
        loss.set(ylabel="cross-entropy on the test images", ylim=(0, None))
        handles, labels = accuracy.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(curves), frameon=False)
        figure.savefig(file, metadata={"Date": None})


def _label(recipe: str, last: dict[str, float]) -> str:
    return f"{recipe}: {last['accuracy']:.1%}, {last['loss']:.3f} after {last['seconds']:,.0f} s"


if __name__ == "__main__":
    main()
