"""Small classifiers with the layers of our recipes, saved with the signatures that `Model` documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from components.images.decode_graph import decode_upright
from components.images.resize import crop_and_resize

SIDE = 32


class Whitened(tf.Module):
    """Frozen 2x2 filters, batch normalization, GELU, max-pooling, a scaled matrix; averaged with its mirror."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.whitening = tf.constant(random.normal(0, 0.3, (2, 2, 3, 24)), tf.float32)
        self.bias = tf.Variable(random.normal(0, 0.1, 24), dtype=tf.float32)
        self.first = tf.Variable(random.normal(0, 0.1, (3, 3, 24, 16)), dtype=tf.float32)
        self.second = tf.Variable(random.normal(0, 0.1, (3, 3, 16, 16)), dtype=tf.float32)
        self.means = [tf.constant(random.normal(0, 0.2, 16), tf.float32) for _ in range(2)]
        self.variances = [tf.constant(random.uniform(0.5, 1.5, 16), tf.float32) for _ in range(2)]
        self.shifts = [tf.Variable(random.normal(0, 0.2, 16), dtype=tf.float32) for _ in range(2)]
        self.head = tf.Variable(random.normal(0, 1, (16, classes)), dtype=tf.float32)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 (n, height, width, 3), 0-255, to probabilities (n, classes)."""
        return tf.nn.softmax((self._logits(images) + self._logits(tf.reverse(images, [2]))) / 2)

    def _logits(self, images: tf.Tensor) -> tf.Tensor:
        x = (images - [120.0, 115.0, 110.0]) / [60.0, 62.0, 64.0]
        x = tf.nn.gelu(tf.nn.conv2d(x, self.whitening, 1, "VALID") + self.bias, approximate=True)
        x = tf.nn.max_pool2d(tf.nn.conv2d(x, self.first, 1, "SAME"), 2, 2, "VALID")
        x = tf.nn.gelu(self._normalized(x, 0), approximate=True)
        x = tf.nn.gelu(self._normalized(tf.nn.conv2d(x, self.second, 1, "SAME"), 1), approximate=True)
        x = tf.nn.max_pool2d(x, 3, 3, "VALID")
        return tf.matmul(tf.reduce_max(x, (1, 2)), self.head) / 9

    def _normalized(self, x: tf.Tensor, layer: int) -> tf.Tensor:
        return tf.nn.batch_normalization(
            x, self.means[layer], self.variances[layer], self.shifts[layer], None, 1.001e-5
        )


class Linear(tf.Module):
    """One matrix, for images of any size and any number of classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.matrix = tf.Variable(np.random.default_rng(2).normal(0, 3, (3, classes)), dtype=tf.float32)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 (n, height, width, 3), 0-255, to probabilities (n, classes)."""
        return tf.nn.softmax(tf.matmul(tf.reduce_max(images / 255, (1, 2)), self.matrix))


class Lifted(Linear):
    """As Linear, by way of 30,000: in float16 neighbors are 16 apart there."""

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 (n, height, width, 3), 0-255, to probabilities (n, classes)."""
        lifted = tf.nn.relu(images + 30_000.0)  # it changes nothing, and keeps converters from joining both numbers
        return super().__call__(lifted - 30_000.0)


def decode(data: tf.Tensor, side: int) -> tf.Tensor:
    """What `encoded` makes of a file: uint8 (side, side, 3)."""
    return crop_and_resize(decode_upright(data), side, side)


def save(network: tf.Module, class_names: tuple[str, ...], folder: Path, side: int = SIDE) -> None:
    """Writes the SavedModel that `Model` documents."""

    def pixels(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": network(image)}

    def serving(image: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = network(tf.cast(image, tf.float32))
        class_id = tf.argmax(probabilities, -1)
        class_name = tf.gather(tf.constant(class_names), class_id)
        return {"probabilities": probabilities, "class_id": class_id, "class_name": class_name}

    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.TensorSpec((side, side, 3), tf.uint8)
        return serving(tf.map_fn(lambda data: decode(data, side), image_bytes, fn_output_signature=shape))

    images = (None, side, side, 3)
    inputs = {
        "pixels": (pixels, tf.TensorSpec(images, tf.float32, "image")),
        "serving_default": (serving, tf.TensorSpec(images, tf.uint8, "image")),
        "encoded": (encoded, tf.TensorSpec((None,), tf.string, "image_bytes")),
    }
    signatures = {name: tf.function(function, input_signature=[spec]) for name, (function, spec) in inputs.items()}
    tf.saved_model.save(network, str(folder), signatures=signatures)


def train(network: tf.Module, images: np.ndarray, labels: np.ndarray, steps: int) -> None:
    """Adam on the cross-entropy with smoothed labels, all images at each step."""
    smoothed = 0.1 + 0.7 * tf.one_hot(labels, 3)
    moments = [[tf.zeros_like(v), tf.zeros_like(v)] for v in network.trainable_variables]

    @tf.function
    def gradients(pixels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(smoothed, network(pixels)))
        return tape.gradient(loss, network.trainable_variables)

    pixels = tf.constant(images, tf.float32)
    for step in range(1, steps + 1):
        for variable, gradient, moment in zip(network.trainable_variables, gradients(pixels), moments, strict=True):
            moment[0] = 0.9 * moment[0] + 0.1 * gradient
            moment[1] = 0.99 * moment[1] + 0.01 * gradient**2
            mean, square = moment[0] / (1 - 0.9**step), moment[1] / (1 - 0.99**step)
            variable.assign_sub(0.01 * mean / (tf.sqrt(square) + 1e-8))
