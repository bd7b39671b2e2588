"""Compares the predictions of an exported file with the evaluated ones, and refuses files that differ too much."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np

from components.artifacts import Document
from components.component import ComponentError
from components.push import PushConfig
from components.push.evaluated_images import EvaluatedImages
from components.push.fresh_process import Reloaded

# Times `push.max_probability_difference`: rounding the weights alone makes 0.03 in the 50 layers of EfficientNet-Lite0.
# It does so for few images; a wrong weight, for many.
FLOAT16_FACTOR, FLOAT16_FAR_FRACTION = 2.5, 0.02
CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, surrogates, line and paragraph separators


class AccuracyError(ComponentError):
    """A compressed file has too low an accuracy."""


class Comparison(Document):
    """The comparison of one exported file with the evaluated model, over images of the test split."""

    images: int
    accuracy: float
    accuracy_difference: float  # minus the evaluated accuracy; negative if the file is worse
    # The same, not counting images for which the file names the second of two classes that the model itself hardly told
    # apart; None in older cards.
    decided_accuracy_difference: float | None = None
    agreement: float  # fraction of images with the same top class
    undecided: int  # images with another top class whose two likeliest classes the model itself hardly told apart
    max_probability_difference: float
    far_images: int = 0  # with a probability that differs by more than `push.max_probability_difference`


def require_names(class_names: tuple[str, ...], evaluated: tuple[str, ...]) -> None:
    """Raises ComponentError unless every class has a unique name: phones tell classes apart by nothing else."""
    if class_names != evaluated:
        raise ComponentError(f"The model's classes are {class_names}, the evaluated ones {evaluated}. Evaluate again.")
    if len(class_names) < 2:
        raise ComponentError(f"The model has {len(class_names)} class; a classifier needs at least two.")
    if empty := [index for index, name in enumerate(class_names) if not name.strip()]:
        raise ComponentError(
            f"Class {empty[0]} of {len(class_names)} has an empty name. Name it in the dataset, and train again."
        )
    if broken := [name for name in class_names if any(unicodedata.category(each) in CONTROLS for each in name)]:
        raise ComponentError(
            f"The class {broken[0]!r} has a line break or another control character in its name; phones read names "
            "that are listed one a line. Rename it in the dataset, and train again."
        )
    if repeated := [name for name, count in Counter(class_names).items() if count > 1]:
        raise ComponentError(
            f"Several classes are called {repeated[0]!r}. Rename them in the dataset, and train again."
        )


def require_classes(file: str, named: tuple[str, ...], class_names: tuple[str, ...]) -> None:
    """Raises ComponentError unless the exported file names the model's classes, in their order."""
    if named != class_names:
        raise ComponentError(f"{file} names the classes {_few(named)}; the model's are {_few(class_names)}.")


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def compare(probabilities: np.ndarray, evaluated: EvaluatedImages, max_probability_difference: float) -> Comparison:
    """Compares `probabilities`, float32 (n, classes) of the exported file, in the order of the model's classes.

    Where the evaluated model's two likeliest classes are closer than `max_probability_difference`, rounding that is
    allowed may decide between them.
    """
    expected = evaluated.probabilities
    top, expected_top = probabilities.argmax(1), expected.argmax(1)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    tied = first - second < max_probability_difference
    differences = np.abs(probabilities - expected).max(axis=1)
    # Of the two that the model hardly chose between: a third class is no tie.
    by_rounding = tied & (np.take_along_axis(expected, top[:, np.newaxis], 1)[:, 0] >= second)
    changes = (top == evaluated.labels).astype(int) - (expected_top == evaluated.labels)
    return Comparison(
        images=len(expected),
        accuracy=float((top == evaluated.labels).mean()),
        accuracy_difference=float(changes.mean()),
        decided_accuracy_difference=float((changes * ~by_rounding).mean()),
        agreement=float((top == expected_top).mean()),
        undecided=int((tied & (top != expected_top)).sum()),
        max_probability_difference=float(differences.max()),
        far_images=int((differences > max_probability_difference).sum()),
    )


def require_probabilities(file: str, probabilities: np.ndarray, evaluated: EvaluatedImages) -> None:
    """Raises ComponentError unless there is one finite number for each image and class."""
    if probabilities.shape != evaluated.probabilities.shape:
        raise ComponentError(
            f"{file} gives probabilities of shape {probabilities.shape}; {evaluated.probabilities.shape} were "
            "evaluated. Nothing was published."
        )
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities).all(axis=1)).sum())
        raise ComponentError(
            f"{file} gives probabilities that are no numbers for {bad} of {len(probabilities)} images. Weights or "
            "activations beyond 65,504 do that in float16: push the variant float32, or train with smaller ones."
        )


def require_consistent(file: str, outputs: Reloaded, class_names: tuple[str, ...]) -> None:
    """Raises ComponentError unless `class_id` and `class_name` name the most probable class."""
    class_id = outputs.probabilities.argmax(1)
    named = np.array([name.encode() for name in class_names])[class_id]
    for name, given, expected in (("class_id", outputs.class_id, class_id), ("class_name", outputs.class_name, named)):
        if wrong := int((given != expected).sum()):
            raise ComponentError(
                f"{file}: {name} is not that of the most probable class for {wrong} of {len(given)} images. "
                "Nothing was published: the signature in the trained model is wrong."
            )


def require_same(file: str, comparison: Comparison, config: PushConfig, weights: str = "float32") -> None:
    """Raises ComponentError if a file differs from the model by more than rounding; for files with float weights.

    `weights` is their precision, as `components.push.exports.Kind` has it.
    """
    allowed = int((1 - config.min_agreement) * comparison.images + 1e-9)
    differing = round((1 - comparison.agreement) * comparison.images) - comparison.undecided
    if differing > allowed:
        raise ComponentError(
            f"{file} names another top class than the evaluated model for {differing} of {comparison.images} images "
            f"that it was sure of; at most {allowed} may differ (push.min_agreement is {config.min_agreement:g}). "
            f"{_ADVICE}"
        )
    is_float16 = weights == "float16" and comparison.far_images <= FLOAT16_FAR_FRACTION * comparison.images
    largest = config.max_probability_difference * (FLOAT16_FACTOR if is_float16 else 1)
    if comparison.max_probability_difference > largest:
        raise ComponentError(
            f"{file} differs from the evaluated model by up to {comparison.max_probability_difference:.2g} in a "
            f"probability; at most {largest:g} is allowed (push.max_probability_difference is "
            f"{config.max_probability_difference:g}). {_ADVICE}"
        )


def require_accuracy(file: str, comparison: Comparison, config: PushConfig) -> None:
    """Raises AccuracyError if the accuracy drops too much; for files with compressed weights.

    Images between whose classes the model itself hardly decided do not count: rounding to float16 decides them, too.
    """
    difference = comparison.decided_accuracy_difference
    drop = -(comparison.accuracy_difference if difference is None else difference)
    if drop > config.max_accuracy_drop + 1e-9:
        raise AccuracyError(
            f"{file} has an accuracy of {comparison.accuracy:.4f} on {comparison.images} images, {drop:.4f} below the "
            "evaluated model where that was not itself undecided; at most "
            f"{config.max_accuracy_drop:g} is allowed (push.max_accuracy_drop). "
            "Nothing was published: leave the variant out of push.variants, or allow more."
        )


_ADVICE = "Nothing was published: leave the variant out of push.variants, take float32, or report the conversion."
