"""How often the gate holds a model back by mistake, and how often it holds back one that is worse.

Trains the recipe `small_data` on the embedded sample under several seeds, by the pipeline as a user would, and keeps
what each model said of the 1,000 images of the test split. The rest is drawn from these predictions:

- seeds: every ordered pair, one model as the other's baseline. Their true accuracies differ a little, too;
- best: each model against the best of the others, which is how a line of pushed versions treats it;
- power: two models that differ on as many images as two seeds do, one of them 0, 1 or 2 points worse in truth.

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
    """Trains the seeds that are not there yet, and prints the tables."""
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
    """The file with what one seed's model said, made if it is not there."""
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
    """What a model said."""
    with np.load(file) as kept:
        return ExampleScores.of(kept["label"], kept["probabilities"])


def against_the_best(models: list[ExampleScores]) -> Iterable[tuple[ExampleScores, ExampleScores]]:
    """(baseline, model): each of the models once."""
    for index, model in enumerate(models):
        yield max(models[:index] + models[index + 1 :], key=lambda other: other.correct.mean()), model


def print_refused(title: str, pairs: list[tuple[ExampleScores, ExampleScores]]) -> None:
    """How many of these (baseline, model) the gate refuses."""
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
    """How many of the changes with these p values are."""
    return float(np.mean([p_value < SIGNIFICANCE for p_value in p_values]))


def print_power(discordant: float) -> None:
    """Of models that are worse in truth: gains and losses on `discordant` of the images, drawn anew."""
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
