"""Defines the network of the tutorial, the well-known Keras example for CIFAR-10, unchanged."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.train.network import Network, Setting
from components.train.recipe import Recipe


class TutorialNetwork(Network):
    """Conv32-Conv64-pool-Conv128-pool-Conv128-pool-Dense1024-Dense: 57 MFLOP forward for a 32x32 image.

    3x3 convolutions without padding, ReLU, 2x2 max-pooling, dropout, pixels scaled to 0-1, Glorot-uniform weights.
    """

    minimum_size_pixels = 24
    CONVOLUTION_WIDTHS = (32, 64, 128, 128)
    POOLED = (False, True, True, True)
    DROPPED = (0.0, 0.25, 0.0, 0.25)
    DENSE_WIDTH = 1024
    DENSE_DROPPED = 0.5

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__(recipe, setting)
        self.filters: list[tf.Variable] = []
        self.biases: list[tf.Variable] = []
        height, width, channels = setting.image_height, setting.image_width, 3
        for number, (features, pooled) in enumerate(zip(self.CONVOLUTION_WIDTHS, self.POOLED, strict=True)):
            self._add(f"convolution{number}", (3, 3, channels, features), setting.random)
            height, width, channels = (height - 2) // (1 + pooled), (width - 2) // (1 + pooled), features
        self._add("dense", (height * width * channels, self.DENSE_WIDTH), setting.random)
        self._add("head", (self.DENSE_WIDTH, setting.class_count), setting.random)

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables by group. The head's bias is among the biases."""
        return {"filters": self.filters[:-1], "biases": self.biases, "head": self.filters[-1:]}

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits. See `Network`. The images have the size that the network was made for."""
        x = images / 255
        for layer, (pooled, dropped) in enumerate(zip(self.POOLED, self.DROPPED, strict=True)):
            x = tf.nn.relu(tf.nn.conv2d(x, self.filters[layer], 1, "VALID") + self.biases[layer])
            x = tf.nn.max_pool2d(x, 2, 2, "VALID") if pooled else x
            x = _dropout(x, dropped, seed, layer)
        x = tf.reshape(x, (-1, self.filters[-2].shape[0]))
        x = tf.nn.relu(tf.matmul(x, self.filters[-2]) + self.biases[-2])
        x = _dropout(x, self.DENSE_DROPPED, seed, len(self.POOLED))
        return tf.matmul(x, self.filters[-1]) + self.biases[-1]

    def _add(self, name: str, shape: tuple[int, ...], random: np.random.Generator) -> None:
        receptive = int(np.prod(shape[:-2]))
        bound = np.sqrt(6 / (receptive * (shape[-2] + shape[-1])))  # Glorot and Bengio 2010, equation 16
        self.filters.append(
            tf.Variable(random.uniform(-bound, bound, shape).astype(np.float32), name=f"{name}/filters")
        )
        self.biases.append(tf.Variable(tf.zeros(shape[-1]), name=f"{name}/bias"))


def _dropout(x: tf.Tensor, rate: float, seed: tf.Tensor | None, layer: int) -> tf.Tensor:
    if seed is None or rate == 0:
        return x
    return tf.nn.experimental.stateless_dropout(x, rate, seed=tf.random.experimental.stateless_fold_in(seed, layer))
