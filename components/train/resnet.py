"""Defines ResNet-50 and networks of its kind, for large images trained from new weights."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.train.network import BatchNormalization, Network, Normalization, Setting, convolution
from components.train.recipe import Recipe

EXPANSION = 4  # channels of a block's output, as a multiple of its inner channels
MOMENTUM = 0.9  # weight of the old moving average in a step


class ResNet(Network):
    """A network of bottleneck blocks (He et al. 2016, arXiv 1512.03385) with four times as many channels out as within.

    As trained by Goyal et al. 2017 (arXiv 1706.02677, section 5.1): a block's stride is that of its 3x3 convolution,
    and its last normalization begins with a scale of 0, so that the block begins as the identity.
    """

    minimum_size_pixels = 32

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__(recipe, setting)
        self.normalization = Normalization(setting.statistics)
        channels = recipe.widths[0]
        self.stem = NormalizedConvolution("stem", (7, 7, 3, channels), 2, setting)
        self.blocks = []
        for stage, (width, count) in enumerate(zip(recipe.widths, recipe.blocks_per_width, strict=True)):
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                self.blocks.append(Bottleneck(f"stage{stage}/block{number}", channels, width, stride, setting))
                channels = EXPANSION * width
        head = setting.random.normal(0, 0.01, (channels, setting.class_count))
        self.head = tf.Variable(head.astype(np.float32), name="head")
        self.head_bias = tf.Variable(tf.zeros(setting.class_count), name="head/bias")

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables by group. "biases" holds the head's bias and all that batch normalization learns."""
        layers = [self.stem, *(layer for block in self.blocks for layer in block.layers)]
        learnt = [variable for layer in layers for variable in layer.norm.trainable_variables]
        return {
            "filters": [layer.filters for layer in layers],
            "biases": [*learnt, self.head_bias],
            "head": [self.head],
        }

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits. See `Network`. The images may have any size from `minimum_size_pixels` on."""
        training = seed is not None
        x = tf.nn.relu(self.stem(self.normalization(images), training=training))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for block in self.blocks:
            x = block(x, training=training)
        x = tf.reduce_mean(tf.cast(x, tf.float32), axis=(1, 2))
        return tf.matmul(x, self.head) + self.head_bias


class Bottleneck(tf.Module):
    """Convolutions 1x1, 3x3 and 1x1 beside a shortcut, which is a 1x1 convolution if the shape changes."""

    def __init__(self, name: str, channels: int, width: int, stride: int, setting: Setting) -> None:
        super().__init__()
        out = EXPANSION * width
        self.path = [
            NormalizedConvolution(f"{name}/reduce", (1, 1, channels, width), 1, setting),
            NormalizedConvolution(f"{name}/spatial", (3, 3, width, width), stride, setting),
            NormalizedConvolution(f"{name}/expand", (1, 1, width, out), 1, setting, first_scale=0.0),
        ]
        self.shortcut = None
        if stride != 1 or channels != out:
            self.shortcut = NormalizedConvolution(f"{name}/shortcut", (1, 1, channels, out), stride, setting)

    @property
    def layers(self) -> list[NormalizedConvolution]:
        """All layers that have weights."""
        return self.path + ([self.shortcut] if self.shortcut else [])

    def __call__(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Computes (n, height / stride, width / stride, 4 * width), rounded up, from (n, height, width, channels)."""
        kept = self.shortcut(x, training=training) if self.shortcut else x
        reduce, spatial, expand = self.path
        x = tf.nn.relu(reduce(x, training=training))
        x = tf.nn.relu(spatial(x, training=training))
        return tf.nn.relu(expand(x, training=training) + kept)


class NormalizedConvolution(tf.Module):
    """A convolution without bias, and a normalization with bias and scale. Initial weights are as in He et al. 2015."""

    def __init__(
        self, name: str, shape: tuple[int, int, int, int], stride: int, setting: Setting, first_scale: float = 1.0
    ) -> None:
        super().__init__()
        height, width, _, out = shape
        filters = setting.random.normal(0, np.sqrt(2 / (height * width * out)), shape)  # arXiv 1502.01852, equation 14
        self.filters = tf.Variable(filters.astype(np.float32), name=f"{name}/filters")
        self.norm = BatchNormalization(out, f"{name}/norm", MOMENTUM, first_scale)
        self.stride = stride
        self.compute_type = setting.compute_type

    def __call__(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Computes (n, height / stride, width / stride, out), rounded up, from (n, height, width, in)."""
        x = convolution(x, self.filters, "SAME", self.compute_type, training=training, stride=self.stride)
        return self.norm(x, training=training)
