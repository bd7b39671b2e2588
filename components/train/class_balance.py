"""Lets the images of rare classes count more."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def class_weights(counts: ArrayLike, class_balance: float) -> NDArray[np.float32]:
    """Returns the weight of an image by its class, float32 (classes,); the mean over all images is 1.

    It is in proportion to the class's number of images, one of `counts`, to the power of -class_balance. A class
    without images weighs as much as one with a single image.
    """
    images = np.asarray(counts, np.float64)
    weights = np.maximum(images, 1) ** -class_balance
    return (weights * images.sum() / (weights @ images)).astype(np.float32)
