"""Finds images that are odd: unlike the others of their class, blurred, of nothing, or of an extreme shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.findings import Finding
from components.inspect.pixel_measures import PixelMeasures
from components.inspect.pool import BLOCK_IMAGES, Pool
from components.inspect.vectors import SplitVectors

Floats = NDArray[np.float32]

UNLIKE = "unlike the other images of its class"
# Distance to the nearest images of its class, by the distance of any two of them: an image is as far from those that
# it is most alike as they are from one another by chance. So are 1 in 1,000 of the sample's images, and more than
# nine in ten screenshots, charts, drawings and pictures of noise.
UNLIKE_RATIO = 1.0
# By so many robust standard deviations, too, it is farther from them than images of the class usually are: in a small
# class all are far from each other.
UNLIKE_DEVIATIONS = 3.5
NEIGHBORS = 5  # one odd image beside another is odd still
MINIMUM_CLASS_IMAGES = 10  # of fewer, each is unlike the others
REFERENCE_IMAGES = 2000  # of a class, that its images are compared with: time and memory grow with the images only
SMALLEST_DISTANCE = 1e-3  # between vectors of one direction, float16 leaves less

# A trait that more of a class's images share than this is how the class looks: a folder of thumbnails, all blurred.
COMMON_FRACTION = 0.25


class Trait(NamedTuple):
    """A bound of one of the pixel measures, beyond which an image is odd."""

    reason: str
    measure: str  # a field of PixelMeasures
    bound: float
    extreme: float  # where it is certain

    def sureness(self, measures: Floats) -> Floats:
        """Returns for each row of measures 0 if it is not beyond the bound, and 0.5 at the bound to 1."""
        values = measures[:, PixelMeasures._fields.index(self.measure)]
        beyond = (values - self.bound) / np.float32(self.extreme - self.bound)
        return np.where(beyond >= 0, 0.5 + np.clip(beyond, 0, 1) / 2, 0).astype(np.float32)


BLURRED = Trait("blurred", "sharpness", 0.03, 0.0)  # the least of the sample's 6,000 has 0.04, the median 0.9
FLAT = Trait("almost no contrast", "contrast", 0.02, 0.0)  # the least of the sample's has 0.028
TRAITS = (
    Trait("nearly black", "brightness", 0.05, 0.0),  # of the sample's, 0.065 to 0.93
    Trait("nearly white", "brightness", 0.95, 1.0),
    Trait("nearly one color", "commonest_color_fraction", 0.97, 1.0),  # a small thing on white has 0.9
    FLAT,
    BLURRED,
    Trait("far longer than wide", "aspect_ratio", 3.0, 10.0),  # the network sees a third of it, or less
)


def find_odd_images(splits: Sequence[SplitVectors], measures: Mapping[str, Floats], class_count: int) -> list[Finding]:
    """Returns the odd images with the reasons, the surest first. A score of 0.5 is at the bound, 1 far beyond it.

    Args:
        splits: the vectors of all splits.
        measures: by split, in its order, the pixel measures of its images: (n, fields of PixelMeasures).
        class_count: number of classes. By their vectors, images of classes with fewer than ten are not judged.
    """
    pool = Pool(splits)
    pixels = np.concatenate([measures[split.split] for split in splits])
    found = {trait.reason: trait.sureness(pixels) for trait in TRAITS}
    found[BLURRED.reason][found[FLAT.reason] > 0] = 0  # there is nothing that could be sharp
    for sureness in found.values():
        _forgive_common(sureness, pool.labels, class_count)
    found = {UNLIKE: np.clip(_unlikeness(pool, class_count) / (2 * UNLIKE_RATIO), 0, 1), **found}
    found[UNLIKE][found[UNLIKE] < 0.5] = 0
    scores = np.max(list(found.values()), axis=0)
    odd = np.flatnonzero(scores)
    return [
        _finding(pool, number, float(scores[number]), [reason for reason in found if found[reason][number]])
        for number in odd[np.argsort(-scores[odd], kind="stable")].tolist()
    ]


def _finding(pool: Pool, number: int, score: float, reasons: list[str]) -> Finding:
    reference = pool.reference(number)
    return Finding(kind="odd_image", images=(reference,), score=round(score, 6), reason=", ".join(reasons))


def _forgive_common(sureness: Floats, labels: NDArray[np.int64], class_count: int) -> None:
    """Sets to 0 what too many images of a class share; one image of a class may have any trait."""
    having = np.bincount(labels[sureness > 0], minlength=class_count)
    most = np.maximum(COMMON_FRACTION * np.bincount(labels, minlength=class_count), 1)
    sureness[(having > most)[labels]] = 0


def _unlikeness(pool: Pool, class_count: int) -> Floats:
    """Returns each image's mean distance to the nearest of its class, by the class's median distance of two, (n,).

    It is 0 for images that are not much farther from them than the others of their class.
    """
    found = np.zeros(len(pool), np.float32)
    counts = np.bincount(pool.labels, minlength=class_count)
    for label in np.flatnonzero(counts >= MINIMUM_CLASS_IMAGES):
        numbers = np.flatnonzero(pool.labels == label)
        chosen = np.unique(np.linspace(0, len(numbers) - 1, REFERENCE_IMAGES).astype(np.int64))
        references = _directions(pool, numbers[chosen])
        usual = _median_distance(references)
        if usual >= SMALLEST_DISTANCE:
            places = np.full(len(numbers), -1)
            places[chosen] = np.arange(len(chosen))
            distances = np.concatenate(list(_nearest(pool, numbers, places, references)))
            found[numbers] = np.where(_robust_deviations(distances) >= UNLIKE_DEVIATIONS, distances / usual, 0)
    return found


def _robust_deviations(values: Floats) -> Floats:
    """Returns how far each value is from the median, in standard deviations as the median deviation tells them."""
    deviations = values - np.median(values)
    usual = 1.4826 * np.median(np.abs(deviations))  # 1.4826: of a normal distribution
    found: Floats = deviations / np.maximum(usual, np.float32(SMALLEST_DISTANCE))
    return found


def _nearest(pool: Pool, numbers: NDArray[np.int64], places: NDArray[np.int64], references: Floats) -> Iterator[Floats]:
    """Yields for blocks of images the mean distance to the nearest references.

    `places` holds the place of each image among the references, or -1.
    """
    count = min(NEIGHBORS, len(references) // 4)
    for first in range(0, len(numbers), BLOCK_IMAGES):
        distances = 1 - _directions(pool, numbers[first : first + BLOCK_IMAGES]) @ references.T
        own = places[first : first + BLOCK_IMAGES]
        rows = np.flatnonzero(own >= 0)
        distances[rows, own[rows]] = np.inf  # from itself
        yield np.partition(distances, count - 1, axis=1)[:, :count].mean(axis=1)


def _median_distance(references: Floats) -> float:
    """Returns the median distance of two: of each to the one half of them further on, and to the three after it."""
    count = len(references)
    shifts = [(count // 2 + shift) % count or 1 for shift in range(4)]
    distances = [1 - (references * np.roll(references, shift, axis=0)).sum(axis=1) for shift in shifts]
    return float(np.median(distances))


def _directions(pool: Pool, numbers: NDArray[np.int64]) -> Floats:
    features = pool.features(numbers)
    directions: Floats = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    return directions
