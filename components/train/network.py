"""Defines the base of all networks, from raw pixels to logits with normalization inside, and the default network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from components.artifacts import SplitStatistics
from components.train.devices import total
from components.train.recipe import Recipe

BATCH_NORM_EPSILON = 1.001e-5  # the fused kernel takes no less, and less would vanish in Core ML's float16
BATCH_NORM_MOMENTUM = 0.6  # weight of the old moving average in a step; for trainings of few epochs
WHITENING_EPSILON = 5e-4  # added to the eigenvalues of the patches of images with unit variance
LOGIT_SCALE = 1 / 9


@dataclass(frozen=True)
class Setting:
    """The data and sizes that a network is made for."""

    statistics: SplitStatistics  # of the training split
    image_height: int
    image_width: int
    class_count: int
    random: np.random.Generator  # draws the initial weights
    compute_type: tf.DType = tf.float32  # type of convolutions while training


class Network(tf.Module):
    """A network from images float32 (n, height, width, 3), 0-255, RGB, to logits float32 (n, classes)."""

    minimum_size_pixels: ClassVar[int]

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__()
        self.compute_type = setting.compute_type

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables, by what an optimizer does with them.

        "filters" (convolutions and inner matrices), "biases", "head" (the last matrix), "whitening_bias".
        """
        raise NotImplementedError

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Trains if there is a `seed`, int32 (2,): batch statistics, dropout. Infers if there is none."""
        raise NotImplementedError


class WhitenedNetwork(Network):
    """The airbench network of Keller Jordan (arXiv 2404.00498, section 3), with ReLU or GELU.

    A frozen 2x2 convolution whitens the patches; three blocks follow, each of which halves the image.
    """

    minimum_size_pixels = 9  # 8 positions of a 2x2 window, halved three times

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__(recipe, setting)
        self.normalization = Normalization(setting.statistics)
        self.activation = ACTIVATIONS[recipe.activation]
        whitening = whitening_filters(setting.statistics)
        channels = whitening.shape[-1]
        self.whitening = tf.Variable(whitening, trainable=False, name="whitening")
        self.whitening_bias = tf.Variable(tf.zeros(channels), name="whitening_bias")
        self.blocks = []
        for number, width in enumerate(recipe.widths):
            self.blocks.append(Block(f"block{number}", channels, width, recipe, setting))
            channels = width
        head = setting.random.uniform(-1, 1, (channels, setting.class_count)) / np.sqrt(channels)
        self.head = tf.Variable(head.astype(np.float32), name="head")

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables by group. The whitening filters are in none of them."""
        return {
            "filters": [filters for block in self.blocks for filters in block.filters],
            "biases": [norm.bias for block in self.blocks for norm in block.norms],
            "head": [self.head],
            "whitening_bias": [self.whitening_bias],
        }

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits. See `Network`. The images may have any size from `minimum_size_pixels` on."""
        training = seed is not None
        x = convolution(self.normalization(images), self.whitening, "VALID", self.compute_type, training=training)
        x = self.activation(x + tf.cast(self.whitening_bias, x.dtype))
        for block in self.blocks:
            x = block(x, training=training)
        x = tf.cast(tf.reduce_max(x, axis=(1, 2)), tf.float32)
        return tf.matmul(x, self.head) * LOGIT_SCALE


class Block(tf.Module):
    """A block: convolution, max-pooling, normalization, activation; convolution, normalization, activation.

    With three convolutions a block, a third convolution, normalization and activation follow, with a shortcut.
    """

    def __init__(self, name: str, channels: int, width: int, recipe: Recipe, setting: Setting) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[recipe.activation]
        self.compute_type = setting.compute_type
        inputs = [channels] + [width] * (recipe.convolutions_per_block - 1)
        self.filters = [
            tf.Variable(identity_filters(count, width, setting.random), name=f"{name}/filters{number}")
            for number, count in enumerate(inputs)
        ]
        self.norms = [BatchNormalization(width, f"{name}/norm{number}") for number in range(len(inputs))]

    def __call__(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Computes (n, height // 2, width // 2, block's width) from (n, height, width, channels)."""
        x = convolution(x, self.filters[0], "SAME", self.compute_type, training=training)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        shortcut = x = self.activation(self.norms[0](x, training=training))
        x = convolution(x, self.filters[1], "SAME", self.compute_type, training=training)
        x = self.activation(self.norms[1](x, training=training))
        if len(self.filters) == 2:
            return x
        x = convolution(x, self.filters[2], "SAME", self.compute_type, training=training)
        return self.activation(self.norms[2](x, training=training) + shortcut)


class BatchNormalization(tf.Module):
    """A batch normalization with a bias, and with a scale if `first_scale` is given."""

    def __init__(
        self, width: int, name: str, momentum: float = BATCH_NORM_MOMENTUM, first_scale: float | None = None
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.bias = tf.Variable(tf.zeros(width), name=f"{name}/bias")
        self.scale = None if first_scale is None else tf.Variable(tf.fill([width], first_scale), name=f"{name}/scale")
        self.mean = tf.Variable(tf.zeros(width), trainable=False, name=f"{name}/mean")
        self.variance = tf.Variable(tf.ones(width), trainable=False, name=f"{name}/variance")

    def __call__(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Returns a tensor of the shape of `x`. In training, the moving averages follow the batch's moments."""
        scale = tf.ones_like(self.bias) if self.scale is None else self.scale
        if not training:
            y, _, _ = tf.compat.v1.nn.fused_batch_norm(
                x, scale, self.bias, self.mean, self.variance, BATCH_NORM_EPSILON, is_training=False
            )
            return y
        if tf.distribute.get_replica_context().num_replicas_in_sync > 1:
            y, mean, variance = self._normalize_everywhere(x, scale)
        else:
            y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, scale, self.bias, epsilon=BATCH_NORM_EPSILON)
        self.mean.assign(self.momentum * self.mean + (1 - self.momentum) * mean)
        self.variance.assign(self.momentum * self.variance + (1 - self.momentum) * variance)
        return y

    def _normalize_everywhere(self, x: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalizes by the moments of the batch on all devices; the returned variance is the unbiased one."""
        pixels = tf.cast(x, tf.float32)
        count = total(tf.cast(tf.size(x) // x.shape[-1], tf.float32))
        mean = total(tf.reduce_sum(pixels, (0, 1, 2))) / count
        variance = total(tf.reduce_sum((pixels - mean) ** 2, (0, 1, 2))) / count
        y = tf.nn.batch_normalization(pixels, mean, variance, self.bias, scale, BATCH_NORM_EPSILON)
        return tf.cast(y, x.dtype), mean, variance * count / tf.maximum(count - 1, 1)


class Normalization(tf.Module):
    """A map of raw pixels to zero mean and unit variance by channel."""

    def __init__(self, statistics: SplitStatistics) -> None:
        super().__init__()
        # Variables, so that a warm start takes them over with the weights that were trained with them.
        scale, shift = 1 / (255 * channel_std(statistics)), -np.array(statistics.channel_mean) / channel_std(statistics)
        self.scale = tf.Variable(scale.astype(np.float32), trainable=False, name="scale")
        self.shift = tf.Variable(shift.astype(np.float32), trainable=False, name="shift")

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the normalized images, in the same shape. The input is 0-255."""
        return images * self.scale + self.shift


def channel_std(statistics: SplitStatistics) -> np.ndarray:
    """Returns float64 (3,), of pixels scaled to 0-1; at least one gray level, for images of one color."""
    return np.maximum(np.array(statistics.channel_std), 1 / 255)


def whitening_filters(statistics: SplitStatistics) -> np.ndarray:
    """Returns filters float32 (2, 2, 3, 24) that whiten the patches.

    They are the eigenvectors of the normalized patches' covariance over sqrt(eigenvalue), and their negatives
    (arXiv 2404.00498, section 3.2). The covariance is of pixels scaled to 0-1; the filtered images have unit variance.
    """
    std = np.tile(channel_std(statistics), 4)  # by (row, column, channel)
    eigenvalues, eigenvectors = np.linalg.eigh(np.array(statistics.patch_covariance) / np.outer(std, std))
    filters = eigenvectors / np.sqrt(np.maximum(eigenvalues, 0) + WHITENING_EPSILON)
    return np.concatenate([filters, -filters], axis=1).reshape(2, 2, 3, 24).astype(np.float32)


def identity_filters(channels: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Returns float32 (3, 3, channels, width): the first `channels` copy their input, the rest are Kaiming-uniform."""
    bound = 1 / np.sqrt(9 * channels)
    filters = random.uniform(-bound, bound, (3, 3, channels, width)).astype(np.float32)
    passed = np.arange(min(channels, width))
    filters[..., passed] = 0
    filters[1, 1, passed, passed] = 1
    return filters


def convolution(
    x: tf.Tensor, filters: tf.Tensor, padding: str, compute_type: tf.DType, *, training: bool, stride: int = 1
) -> tf.Tensor:
    """Convolves in `compute_type` while training; validated, exported and converted networks use float32."""
    type_ = compute_type if training else tf.float32
    return tf.nn.conv2d(tf.cast(x, type_), tf.cast(filters, type_), stride, padding)


def _gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=True)  # the exact one needs Erfc, which coremltools 9 cannot convert


ACTIVATIONS = {"relu": tf.nn.relu, "gelu": _gelu}
