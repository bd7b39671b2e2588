"""Temperature scaling: one number that makes a classifier as sure as it is correct, fitted on the validation split.

C. Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599. The class that is said stays the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train.classifier import Classifier
from components.train.data import Batches

LARGEST_TEMPERATURE = 20.0  # and its inverse the smallest
# Standard deviation of the temperature's logarithm before anything was seen. A few hundred images outweigh it; a few
# that are all correct would otherwise ask for a temperature of 0.
PRIOR_DEVIATION = 1.0
BISECTIONS = 50


class Calibration(NamedTuple):
    """How sure the classifier may be, and how sure it then is of the validation images."""

    temperature: float  # logits are divided by it
    confidence: NDArray[np.float32]  # (n,): the largest probability of each image, at this temperature
    correct: NDArray[np.bool_]  # (n,): whether it is the label's

    def save(self, file: Path) -> None:
        """As `components.artifacts.Model` documents it."""
        np.savez(file, confidence=self.confidence, correct=self.correct)


def calibrate(classifier: Classifier, validation: Batches) -> Calibration:
    """Sets the temperature with which `classifier` will be exported."""
    predict = tf.function(lambda images: classifier.logits(tf.cast(images, tf.float32)), autograph=False)
    pairs = [(predict(images).numpy(), labels.numpy()) for images, labels in validation.in_order()]
    logits, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    temperature = fit_temperature(logits, labels)
    classifier.temperature = temperature
    probabilities = _softmax(logits / temperature)
    return Calibration(temperature, probabilities.max(axis=1).astype(np.float32), logits.argmax(axis=1) == labels)


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of the smallest cross-entropy, held near 1 by its prior where there are few images.

    Args:
        logits: (n, classes).
        labels: (n,), indices of classes.

    Returns:
        Between 1/20 and 20; four significant digits, which are more than the data can tell.
    """
    scaled = logits.astype(np.float64)
    own = scaled[np.arange(len(labels)), labels]

    def slope(log_sharpness: float) -> float:
        """Of the negative log posterior, by the logarithm of 1/temperature. It rises where it is zero."""
        sharpness = np.exp(log_sharpness)
        expected = (_softmax(scaled * sharpness) * scaled).sum(axis=1)
        return float(sharpness * (expected - own).sum() + log_sharpness / PRIOR_DEVIATION**2)

    low, high = -np.log(LARGEST_TEMPERATURE), np.log(LARGEST_TEMPERATURE)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(f"{np.exp(-(low + high) / 2):.4g}")


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
