"""Chooses the images, none of them tested, that set the ranges of values in files and the precisions of weights."""

from __future__ import annotations

import numpy as np

from components.artifacts import Document, Examples
from components.push.drawn_images import SEED, count_images, drawn_evenly, read_drawn

# TensorFlow recommends 100 to 500. 16, 64, 200 and 500 gave the same accuracy within 0.3 points.
CALIBRATION_IMAGES = 200
SEARCH_IMAGES = 1000
SEARCH_MEGAPIXELS = 10  # 199 images of 224 x 224


class Calibration(Document):
    """The images by which a file's integers were scaled or its precisions chosen: one from each of equal parts.

    Which one of a part was drawn by NumPy's `default_rng(seed)`.
    """

    split: str  # training or validation, in TFDS's slice syntax, such as "train[:96%]"
    images: int
    seed: int


def read_calibration_images(examples: Examples, height: int, width: int) -> tuple[np.ndarray, Calibration]:
    """Returns images uint8 (n, height, width, 3), RGB, of the training split, and how they were chosen."""
    return _read(examples, "train", CALIBRATION_IMAGES, height, width)


def read_search_images(examples: Examples, height: int, width: int) -> tuple[np.ndarray, Calibration]:
    """Returns images as above, more of them, for `smallest`: of the validation split, or of the training split.

    A network is surer of the images that it was trained on, and hardly shows there what fewer bits cost.
    """
    split = "validation" if examples.example_counts.get("validation") else "train"
    most = min(SEARCH_IMAGES, int(SEARCH_MEGAPIXELS * 1e6 / (height * width)))
    return _read(examples, split, max(1, most), height, width)


def _read(examples: Examples, split: str, most: int, height: int, width: int) -> tuple[np.ndarray, Calibration]:
    drawn = drawn_evenly(count_images(examples, split), most)
    images = np.concatenate(
        [batch for batch, _ in read_drawn(examples, split, drawn, height, width).as_numpy_iterator()]
    )
    return images, Calibration(split=examples.splits[split], images=len(images), seed=SEED)
