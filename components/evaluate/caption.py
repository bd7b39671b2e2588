"""From which confidence on captions name the class: chosen on the validation split, measured on the test one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Caption
from components.intervals import wilson

SILENT = 2.0  # the confidence that no probability reaches, not even one that is rounded to 1
FEWEST_IMAGES = 20  # on fewer, a precision is luck
_DECIMALS = 4


def choose_confidence(confidence: NDArray[np.floating], correct: NDArray[np.bool_], precision: float) -> float:
    """The lowest confidence such that, of the images from it on, at least the fraction `precision` is right.

    Args:
        confidence: (n,), the largest probability of each image.
        correct: (n,), whether its class is the label's.
        precision: 0-1.

    Returns:
        A value between the lowest of these images and the next below; `SILENT` where no confidence is enough.
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
    """Half-way in few digits, or `lowest` itself where those would move the cut; in float32, too, as on a phone."""
    middle = round((below + lowest) / 2, _DECIMALS)
    return middle if below < np.float32(middle) and middle <= lowest else lowest


def measure(
    validation: tuple[NDArray[np.floating], NDArray[np.bool_]],
    test: tuple[NDArray[np.floating], NDArray[np.bool_]],
    precision: float,
) -> Caption:
    """Chooses on (confidence, correct) of the validation images, and counts on those of the test split."""
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
