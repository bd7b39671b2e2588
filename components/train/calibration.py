"""Calibrates a classifier by temperature scaling: one number makes its confidence match its accuracy.

C. Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599. The number is fitted on the validation split;
the predicted class stays the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train.classifier import Classifier
from components.train.data import Batches

LARGEST_TEMPERATURE = 20.0  # the smallest is its inverse
# Standard deviation of the prior on the temperature's logarithm. A few hundred images outweigh it. Without it, a few
# images that are all correct would give a temperature of 0.
PRIOR_DEVIATION = 1.0
BISECTIONS = 50


class Calibration(NamedTuple):
    """The fitted temperature, and the classifier's predictions for the validation images at this temperature."""

    temperature: float  # divides the logits
    confidence: NDArray[np.float32]  # (n,): the largest probability of each image, at this temperature
    correct: NDArray[np.bool_]  # (n,): whether the predicted class is the label

    def save(self, file: Path) -> None:
        """Writes the file that `components.artifacts.Model` documents as validation.npz."""
        np.savez(file, confidence=self.confidence, correct=self.correct)


def calibrate(classifier: Classifier, validation: Batches) -> Calibration:
    """Sets the temperature with which `classifier` will be exported, and returns the calibration."""
    predict = tf.function(lambda images: classifier.logits(tf.cast(images, tf.float32)), autograph=False)
    pairs = [(predict(images).numpy(), labels.numpy()) for images, labels in validation.in_order()]
    logits, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return calibrate_logits(classifier, logits, labels)


def calibrate_logits(classifier: Classifier, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Calibration:
    """Does the same from logits (n, classes) of the validation images that are known already."""
    temperature = fit_temperature(logits, labels)
    classifier.temperature = temperature
    probabilities = _softmax(logits / temperature)
    return Calibration(temperature, probabilities.max(axis=1).astype(np.float32), logits.argmax(axis=1) == labels)


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Returns the temperature of the smallest cross-entropy, held near 1 by its prior if there are few images.

    Args:
        logits: (n, classes).
        labels: (n,), indices of classes.

    Returns:
        Between 1/20 and 20, in four significant digits: more than the data can tell.
    """
    scaled = logits.astype(np.float64)
    own = scaled[np.arange(len(labels)), labels]

    def slope(log_sharpness: float) -> float:
        """Returns the slope of the negative log posterior by the logarithm of 1/temperature.

        It rises where it is zero.
        """
        sharpness = np.exp(log_sharpness)
        expected = (_softmax(scaled * sharpness) * scaled).sum(axis=1)
        return float(sharpness * (expected - own).sum() + log_sharpness / PRIOR_DEVIATION**2)

    low, high = -np.log(LARGEST_TEMPERATURE), np.log(LARGEST_TEMPERATURE)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(f"{np.exp(-(low + high) / 2):.4g}")


def _softmax(logits: NDArray[Any]) -> NDArray[Any]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
