"""Chooses the confidence from which on captions name a class (validation split), and measures it (test split)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Caption
from components.intervals import wilson

SILENT = 2.0  # a confidence that no probability reaches, not even one that is rounded to 1
FEWEST_IMAGES = 20  # on fewer images, a precision depends too much on chance
_DECIMALS = 4


def choose_confidence(confidence: NDArray[np.floating], correct: NDArray[np.bool_], precision: float) -> float:
    """Returns the lowest confidence such that at least the fraction `precision` of the images above it is right.

    Args:
        confidence: (n,), the largest probability of each image.
        correct: (n,), whether its class is the label's.
        precision: 0-1.

    Returns:
        A value between the lowest confidence of these images and the next below; `SILENT` if no confidence suffices.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, hits = confidence[order].astype(np.float64), np.cumsum(correct[order])
    named = np.arange(1, len(order) + 1)
    below = np.append(sorted_confidence[1:], 0.0)
    enough = (hits >= precision * named) & (named >= min(FEWEST_IMAGES, len(order))) & (below < sorted_confidence)
    if not enough.any():
        return SILENT
    last = int(np.flatnonzero(enough)[-1])
    return _between(float(below[last]), float(sorted_confidence[last]))


def _between(below: float, lowest: float) -> float:
    """Returns the middle in few digits, or `lowest` if rounding would move the cut, also in float32 as on a phone."""
    middle = round((below + lowest) / 2, _DECIMALS)
    return middle if below < np.float32(middle) and middle <= lowest else lowest


def measure(
    validation: tuple[NDArray[np.floating], NDArray[np.bool_]],
    test: tuple[NDArray[np.floating], NDArray[np.bool_]],
    precision: float,
) -> Caption:
    """Returns the Caption: chosen on (confidence, correct) of the validation images, measured on the test images'."""
    chosen = choose_confidence(*validation, precision)
    confidence, correct = test
    named = confidence >= chosen
    count, hits = int(named.sum()), int(correct[named].sum())
    return Caption(
        stated_precision=precision,
        confidence=chosen,
        validation_images=len(validation[0]),
        precision=hits / count if count else None,
        interval=tuple(wilson(hits / count, count)) if count else None,
        named_fraction=count / len(named),
    )
