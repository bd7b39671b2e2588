"""Files of integers whose weights the converter rounded by much, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.push.calibration import read_calibration_images
from components.push.litert import run_litert, save_litert
from components.push.litert_metadata import LiteRTTexts
from components.push.litert_rounding import round_weights
from tests.components.push.networks import save

NAMES = ("red", "green", "blue")
TEXTS = LiteRTTexts(NAMES, "A test.", "c0ffee", "A. Author", "MIT")


class Coarse(tf.Module):
    """A convolution, a depthwise one and a matrix. Each filter has a weight so large that the others round by much.

    What the large weights give is the same in all channels, and the matrix takes it away.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        random = np.random.default_rng(seed)

        def filters(*shape: int) -> tf.Variable:
            weights = random.normal(0, 0.02, shape)
            weights[1, 1] = 1
            return tf.Variable(weights, dtype=tf.float32)

        self.first, self.depthwise = filters(3, 3, 3, 8), filters(3, 3, 8, 2)
        matrix = random.normal(0, 5, (16, 3))
        self.matrix = tf.Variable(matrix - matrix.mean(0), dtype=tf.float32)
        self.bias = tf.Variable(random.normal(0, 0.1, 3), dtype=tf.float32)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 (n, height, width, 3), 0-255, to probabilities (n, classes)."""
        return tf.nn.softmax(self.logits(images))

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        x = tf.nn.conv2d(images / 255, self.first, 2, "SAME")
        x = tf.nn.depthwise_conv2d(x, self.depthwise, (1, 2, 2, 1), "SAME")
        return tf.matmul(tf.reduce_mean(x, (1, 2)), self.matrix) + self.bias


class Mirrored(Coarse):
    """The same, averaged with its mirror image, so that two layers hold the same weights."""

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        return (super().logits(images) + super().logits(tf.reverse(images, [2]))) / 2


class Files(NamedTuple):
    """The files of a network before its weights are rounded anew."""

    integers: bytes
    floats: bytes


@pytest.fixture(scope="module")
def images(tiny: Examples) -> np.ndarray:
    return read_calibration_images(tiny, 32, 32)[0]


def convert(network: tf.Module, images: np.ndarray, folder: Path) -> Files:
    """What the converter made of a network."""
    made: list[Files] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "components.push.litert.round_weights",
            lambda integers, floats, _: made.append(Files(integers, floats)) or integers,
        )
        save(network, NAMES, folder)
        save_litert("litert_int8", tf.saved_model.load(str(folder)), TEXTS, folder / "model.tflite", images)
    return made[0]


def predicted(model: bytes, images: np.ndarray, folder: Path) -> np.ndarray:
    file = folder / "model.tflite"
    file.write_bytes(model)
    return run_litert(file, images)


@pytest.mark.parametrize("network", [Coarse, Mirrored])
def test_answers_are_nearer_to_those_of_the_network(network: type[Coarse], images: np.ndarray, folder: Path) -> None:
    files = convert(network(), images, folder / "saved_model")
    better = round_weights(files.integers, files.floats, images)
    assert len(better) == len(files.integers)
    expected = predicted(files.floats, images, folder)
    before, after = (predicted(model, images, folder) - expected for model in (files.integers, better))
    assert np.abs(before.mean(0)).max() > 0.01
    assert np.abs(after.mean(0)).max() < np.abs(before.mean(0)).max() / 5
    assert np.square(after).mean() < np.square(before).mean() / 2


def test_a_file_of_other_weights_changes_nothing(images: np.ndarray, folder: Path) -> None:
    files = convert(Coarse(), images, folder / "first")
    others = convert(Coarse(seed=1), images, folder / "second")
    assert round_weights(files.integers, others.floats, images) == files.integers


def test_images_that_are_all_alike_are_no_error(images: np.ndarray, folder: Path) -> None:
    files = convert(Coarse(), images, folder / "saved_model")
    for color in (0, 255):
        rounded = round_weights(files.integers, files.floats, np.full_like(images, color))
        assert np.isfinite(predicted(rounded, images, folder)).all()
