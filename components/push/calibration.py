"""Chooses the training images that set the ranges of values in files that compute with integers."""

from __future__ import annotations

import numpy as np

from components.artifacts import Document, Examples
from components.push.drawn_images import SEED, count_images, drawn_evenly, read_drawn

# TensorFlow recommends 100 to 500. 16, 64, 200 and 500 gave the same accuracy within 0.3 points.
CALIBRATION_IMAGES = 200


class Calibration(Document):
    """The images by which a file's integers were scaled: one from each of `images` equal parts of the training split.

    Which one of a part was drawn by NumPy's `default_rng(seed)`.
    """

    split: str  # in TFDS's slice syntax, such as "train[:96%]"
    images: int
    seed: int


def read_calibration_images(examples: Examples, height: int, width: int) -> tuple[np.ndarray, Calibration]:
    """Returns images uint8 (n, height, width, 3), RGB, of the training split, and how they were chosen."""
    drawn = drawn_evenly(count_images(examples, "train"), CALIBRATION_IMAGES)
    images = np.concatenate(
        [batch for batch, _ in read_drawn(examples, "train", drawn, height, width).as_numpy_iterator()]
    )
    return images, Calibration(split=examples.splits["train"], images=len(images), seed=SEED)
