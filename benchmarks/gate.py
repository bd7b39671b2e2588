"""Measures how often the gate refuses a model by mistake, and how often it refuses one that is really worse.

It trains the recipe `small_data` on the embedded sample with several seeds, by running the pipeline as a user would,
and keeps each model's predictions on the 1,000 images of the test split. All figures come from these predictions:

- seeds: every ordered pair, one model as the baseline of the other. Their true accuracies also differ a little;
- best: each model against the best of the others, as when versions are pushed one after another;
- power: two models that differ on as many images as two seeds do, one of which is truly 0, 1 or 2 points worse.

    python -m benchmarks.gate --work /tmp/gate --seeds 8 --epochs 4
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from components.evaluate.example_scores import ExampleScores
from components.evaluate.influence import mean
from components.evaluate.significance import FractionChange, figure_change, fraction_change

ACCURACY_MARGINS = (0.0, -0.01, -0.02)
LOSS_MARGINS = (0.0, 0.02, 0.05)
SIGNIFICANCE = 0.05  # a confidence of 0.95
IMAGES = (1000, 2000, 5000, 10_000)
WORSE = (0.0, 0.01, 0.02)
DRAWS = 4000


def main() -> None:
    """Trains the seeds that are not there yet, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the runs and their predictions")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=float, default=4.0)
    options = parser.parse_args()
    models = [load(predictions(options.work, seed, options.epochs)) for seed in range(options.seeds)]
    accuracy = [float(model.correct.mean()) for model in models]
    pairs = list(itertools.combinations(models, 2))
    discordant = float(np.mean([(one.correct != other.correct).mean() for one, other in pairs]))
    print(f"{len(models)} seeds of {options.epochs:g} epochs, {len(models[0].labels)} images")
    print(f"accuracy {np.mean(accuracy):.4f}, standard deviation {np.std(accuracy, ddof=1):.4f}")
    print(f"two seeds differ in whether they are right on {discordant:.1%} of the images")
    print_refused("pairs of seeds", list(itertools.permutations(models, 2)))
    print_refused("each against the best of the others", list(against_the_best(models)))
    print_power(discordant)


def predictions(work: Path, seed: int, epochs: float) -> Path:
    """Returns the file with the predictions of one seed's model. Trains the model if the file is not there."""
    file = work / f"{epochs:g}-epochs-seed-{seed}.npz"
    if not file.exists():
        root = work / f"root-{seed}"
        settings = {"train.random_seed": seed, "train.epochs": epochs, "evaluate.thresholds.accuracy.min": 0.1}
        options = [f"--pipeline_root={root}", "--to=evaluate", *(f"--set={k}={v}" for k, v in settings.items())]
        subprocess.run([sys.executable, "-m", "pipeline.run", *options], check=True, stdout=subprocess.DEVNULL)
        shards = [np.load(path) for path in sorted(root.glob("evaluate/*/attempt-*/predictions/*.npz"))]
        np.savez(file, **{key: np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities")})
    return file


def load(file: Path) -> ExampleScores:
    """Returns the scores of a model's predictions in a file."""
    with np.load(file) as kept:
        return ExampleScores.of(kept["label"], kept["probabilities"])


def against_the_best(models: list[ExampleScores]) -> Iterable[tuple[ExampleScores, ExampleScores]]:
    """Yields (baseline, model) once for each model. The baseline is the best of the other models."""
    for index, model in enumerate(models):
        yield max(models[:index] + models[index + 1 :], key=lambda other: other.correct.mean()), model


def print_refused(title: str, pairs: list[tuple[ExampleScores, ExampleScores]]) -> None:
    """Prints the fraction of these (baseline, model) pairs that the gate refuses, for each margin."""
    print(f"\n{title}: {len(pairs)} comparisons; refused at confidence {1 - SIGNIFICANCE:g}")
    accuracies = [fraction_change(model.correct, baseline.correct) for baseline, model in pairs]
    losses = [figure_change(mean(model.loss), mean(baseline.loss)) for baseline, model in pairs]
    for margin in ACCURACY_MARGINS:
        print(f"  accuracy change min {margin:5.2f}: {refused([each.p_below(margin) for each in accuracies]):6.1%}")
    fixed = np.mean([each.difference < -0.001 for each in accuracies])
    print(f"  accuracy, a fixed -0.001:    {fixed:6.1%}")
    for margin in LOSS_MARGINS:
        print(f"  cross_entropy change max {margin:5.2f}: {refused([each.p_above(margin) for each in losses]):6.1%}")


def refused(p_values: list[float]) -> float:
    """Returns the fraction of these p values that are significant, so that the gate refuses the change."""
    return float(np.mean([p_value < SIGNIFICANCE for p_value in p_values]))


def print_power(discordant: float) -> None:
    """Prints how often models that are truly worse are refused.

    Gains and losses are drawn at random; together they affect the fraction `discordant` of the images.
    """
    print(f"\naccuracy, models that differ on {discordant:.1%} of the images: refused of {DRAWS} draws")
    print("  images  change min " + "".join(f"{100 * worse:>7.0f} points worse" for worse in WORSE))
    random = np.random.default_rng(0)
    for images, margin in itertools.product(IMAGES, ACCURACY_MARGINS[:2]):
        cells = []
        for worse in WORSE:
            gain, loss = (discordant - worse) / 2, (discordant + worse) / 2
            drawn = random.multinomial(images, (gain, loss, 1 - gain - loss), DRAWS)
            changes = [FractionChange(int(gained), int(lost), images) for gained, lost, _ in drawn]
            cells.append(refused([each.p_below(margin) for each in changes]))
        print(f"  {images:6}  {margin:8.2f} " + "".join(f"{cell:20.1%}" for cell in cells))


if __name__ == "__main__":
    main()
