"""Finds the test images that a model classified wrongly and was surest of, and draws them small."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.images.small_picture import SmallPicture, encode
from components.push.evaluated_images import EvaluatedImages
from components.registry.layout import EXTRA, MISTAKES


class Mistake(NamedTuple):
    """One test image that was classified wrongly. Probabilities are 0-1."""

    picture: SmallPicture
    file: str  # of the picture, relative to the folder of the cards
    label: str
    predicted: str
    confidence: float  # the probability of the predicted class
    label_probability: float


def find_mistakes(evaluated: EvaluatedImages, class_names: tuple[str, ...], most: int) -> tuple[Mistake, ...]:
    """Returns at most `most` mistakes among the evaluated images, the most confident one first."""
    predicted = evaluated.probabilities.argmax(axis=1)
    confidence = evaluated.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != evaluated.labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    images = evaluated.images
    return tuple(
        _mistake(number, images[index], class_names, int(evaluated.labels[index]), evaluated.probabilities[index])
        for number, index in enumerate(chosen, start=1)
    )


def _mistake(
    number: int, pixels: np.ndarray, class_names: tuple[str, ...], label: int, probabilities: np.ndarray
) -> Mistake:
    picture, predicted = encode(np.asarray(pixels)), int(probabilities.argmax())
    return Mistake(
        picture,
        f"{MISTAKES}/{number:02}.{picture.format}",
        class_names[label],
        class_names[predicted],
        float(probabilities[predicted]),
        float(probabilities[label]),
    )


def write_pictures(mistakes: tuple[Mistake, ...], version: Path) -> None:
    """Writes the pictures of the mistakes into a version's folder."""
    for mistake in mistakes:
        file = version / EXTRA / mistake.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(mistake.picture.data)
