"""Measures how often the gate refuses a model by mistake, and how often it refuses one that is really worse.

Without `--work` it only simulates, in about a minute, models that are published one after another on the same test
split, with the gate's own tests. Each image has a probability to be classified rightly, by which two equally good
models differ on 12 % of the images. Three rules are compared: the published one (`gate`), the best version without a
correction, and the latest version.

With `--work` it trains the recipe `small_data` on the embedded sample with several seeds, by running the pipeline as a
user would, and keeps each model's predictions on the 1,000 images of the test split. All figures come from these
predictions:

- seeds: every ordered pair, one model as the baseline of the other. Their true accuracies also differ a little;
- best: each model against the best of the others, as when versions are pushed one after another;
- power: two models that differ on as many images as two seeds do, one of which is truly 0, 1 or 2 points worse.

    python -m benchmarks.gate
    python -m benchmarks.gate --work /tmp/gate --seeds 8 --epochs 4
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_artifacts import run_to
from components.artifacts import Evaluation
from components.evaluate.example_scores import ExampleScores
from components.evaluate.influence import mean
from components.evaluate.significance import FractionChange, figure_change, fraction_change
from components.registry.versions import may_be_best

ACCURACY_MARGINS = (0.0, -0.01, -0.02)
LOSS_MARGINS = (0.0, 0.02, 0.05)
SIGNIFICANCE = 0.05  # a confidence of 0.95
IMAGES = (1000, 2000, 5000, 10_000)
WORSE = (0.0, 0.01, 0.02)
DRAWS = 4000
DISCORDANT = 0.12  # fraction of images that only one of two seeds of `small_data` gets right, as measured with --work
ACCURACY = 0.711
PUBLISHED = (1, 10, 60)
REPEATS = 2000

Right = NDArray[np.bool_]  # (n,): whether a model is right on each image of the test split


def main() -> None:
    """Prints the tables of the simulation; with `--work`, those of trained seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder for the pipeline root of trained models")
    parser.add_argument("--seeds", type=int, default=8, help="models to train; read with --work")
    parser.add_argument("--epochs", type=float, default=4.0, help="of each of them; read with --work")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each simulated history; read without --work")
    options = parser.parse_args()
    if options.work is None:
        print_histories(options.repeats)
        return
    print_seeds(options)


def print_seeds(options: argparse.Namespace) -> None:
    """Trains the seeds that are not there yet, then prints the tables."""
    models = [predict(options.work, seed, options.epochs) for seed in range(options.seeds)]
    accuracy = [float(model.correct.mean()) for model in models]
    pairs = list(itertools.combinations(models, 2))
    discordant = float(np.mean([(one.correct != other.correct).mean() for one, other in pairs]))
    print(f"{len(models)} seeds of {options.epochs:g} epochs, {len(models[0].labels)} images")
    print(f"accuracy {np.mean(accuracy):.4f}, standard deviation {np.std(accuracy, ddof=1):.4f}")
    print(f"two seeds differ in whether they are right on {discordant:.1%} of the images")
    print_refused("pairs of seeds", list(itertools.permutations(models, 2)))
    print_refused("each against the best of the others", list(against_the_best(models)))
    print_power(discordant)


def predict(work: Path, seed: int, epochs: float) -> ExampleScores:
    """Returns the scores of one seed's model, which is trained unless it is there already."""
    settings = {"train.recipe": "small_data", "train.random_seed": seed, "train.epochs": epochs}
    settings |= {"evaluate.thresholds.accuracy.min": 0.1}
    made = run_to("evaluate", work / "root", [f"{key}={value}" for key, value in settings.items()])
    folder = made.load("evaluate", Evaluation).folder / "predictions"
    shards = [np.load(path) for path in sorted(folder.glob("*.npz"))]
    return ExampleScores.of(*(np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities")))


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


class Split(NamedTuple):
    """A test split: the probability that a model of ACCURACY gets each image right, (n,)."""

    chances: NDArray[np.float64]
    random: np.random.Generator

    @classmethod
    def draw(cls, images: int, random: np.random.Generator) -> Split:
        """Draws one by whose images two models of ACCURACY differ on the fraction DISCORDANT on average."""
        # A beta distribution of mean m and a + b = s has E[q (1 - q)] = m (1 - m) s / (s + 1), half the discordance.
        ratio = DISCORDANT / 2 / (ACCURACY * (1 - ACCURACY))
        spread = ratio / (1 - ratio)
        return cls(random.beta(ACCURACY * spread, (1 - ACCURACY) * spread, images), random)

    def model(self, loss: float = 0.0) -> Right:
        """Draws a model whose true accuracy is ACCURACY minus `loss`, 0 to 1."""
        return self.random.random(len(self.chances)) < self.chances * (1 - loss / ACCURACY)


Rule = Callable[[Sequence[Right], Right], bool]  # (published versions, model) -> whether the model is refused


def against_best(published: Sequence[Right], model: Right, correct: bool = False) -> bool:
    """Returns whether the model is worse than the version that did best on these images."""
    accuracies = [np.count_nonzero(version) / len(version) for version in published]
    best, index = max((accuracy, index) for index, accuracy in enumerate(accuracies))
    baseline = published[index]
    contenders = sum(may_be_best(accuracy, best, len(model)) for accuracy in accuracies) if correct else 1
    return fraction_change(model, baseline).p_below(0.0) * contenders < SIGNIFICANCE


RULES: dict[str, Rule] = {
    "gate": lambda published, model: against_best(published, model, correct=True),
    "best, uncorrected": against_best,
    "latest": lambda published, model: fraction_change(model, published[-1]).p_below(0.0) < SIGNIFICANCE,
}


def refused_after(rule: Rule, images: int, published: Sequence[int], repeats: int) -> NDArray[np.float64]:
    """Returns how often a model is refused once so many equally good ones are published, (published, WORSE)."""
    random = np.random.default_rng(0)
    counts = np.zeros((len(published), len(WORSE)))
    for _ in range(repeats):
        split = Split.draw(images, random)
        versions = [split.model()]
        for row, count in enumerate(published):
            while len(versions) < count:
                if not rule(versions, model := split.model()):
                    versions.append(model)
            counts[row] += [rule(versions, split.model(worse)) for worse in WORSE]
    return counts / repeats


def refused_after_gains(rule: Rule, images: int, gain: float, repeats: int) -> float:
    """Returns how often a model is refused that is 2 points worse than the last of 20, each truly better by `gain`."""
    random = np.random.default_rng(0)
    refusals = 0
    for _ in range(repeats):
        split = Split.draw(images, random)
        versions = [split.model(gain * (19 - step)) for step in range(20)]
        refusals += rule(versions, split.model(0.02))
    return refusals / repeats


def lost_in_small_steps(rule: Rule, images: int, step: float, repeats: int) -> float:
    """Returns the true loss of the last version after 60 models, each truly worse by `step` than the version before."""
    random = np.random.default_rng(0)
    lost = []
    for _ in range(repeats):
        split, loss = Split.draw(images, random), 0.0
        versions = [split.model()]
        for _ in range(60):
            if not rule(versions, model := split.model(loss + step)):
                versions.append(model)
                loss += step
        lost.append(loss)
    return float(np.mean(lost))


def print_histories(repeats: int) -> None:
    """Prints how each rule does on versions that are published one after another."""

    def few(part: int) -> int:
        """Returns how often histories are repeated that take longer."""
        return max(1, repeats // part)

    print(f"models that differ on {DISCORDANT:.0%} of the images; accuracy change min 0")
    print("\nrefused once so many equally good versions are published, and the model is truly worse by")
    print(f"({repeats} repeats with 2,000 images, {few(4)} with 10,000)")
    print(f"{'':20}{'images':>8}{'published':>10}" + "".join(f"{100 * worse:>10.0f} points" for worse in WORSE))
    for name, images in [*((name, 2000) for name in RULES), ("gate", 10_000)]:
        rows = refused_after(RULES[name], images, PUBLISHED, repeats if images == 2000 else few(4))
        for count, cells in zip(PUBLISHED, rows, strict=True):
            print(f"{name:20}{images:8}{count:10}" + "".join(f"{cell:17.1%}" for cell in cells))
    print("\n2,000 images: refused if 2 points worse than the last of 20 versions, each better than the one before by")
    print(f"({few(2)} repeats)")
    for name, rule in RULES.items():
        cells = [refused_after_gains(rule, 2000, gain, few(2)) for gain in (0.005, 0.01)]
        print(f"{name:20}0.5 points {cells[0]:6.1%}, 1 point {cells[1]:6.1%}")
    print("\n2,000 images: true points lost after 60 models, each worse than the version before by")
    print(f"({few(10)} repeats)")
    for name, rule in RULES.items():
        cells = [100 * lost_in_small_steps(rule, 2000, step, few(10)) for step in (0.001, 0.003)]
        print(f"{name:20}0.1 points {cells[0]:5.1f}, 0.3 points {cells[1]:5.1f}")


if __name__ == "__main__":
    main()
