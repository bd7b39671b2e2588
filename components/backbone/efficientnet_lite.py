"""Defines EfficientNet-Lite0, Lite1 and Lite2: from raw pixels to 1,280 features, with weights of ImageNet.

EfficientNet (Tan and Le, arXiv 1905.11946) without squeeze-and-excitation, and with ReLU6 for swish, so that phones and
8-bit arithmetic can run it. Its authors' table: 75.1, 76.7 and 77.6 % on ImageNet at 224, 240 and 260 pixels.
Batch normalization is folded into filters and biases: what is left is convolutions, ReLU6 and additions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.backbone.weights import fold_batch_norm, load_weights
from components.component import ComponentError

PIXEL_MEAN = 127.0
PIXEL_SCALE = 1 / 128
STEM_CHANNELS = 32  # these two are the same in every scaling
FEATURES = 1280
MINIMUM_SIZE_PIXELS = 32  # the network halves an image five times


class Scaling(NamedTuple):
    """The factors of a network's channels and of its repeated blocks."""

    width: float
    depth: float


class Stage(NamedTuple):
    """Blocks of one kind. The first has the stride, and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int  # factor of the channels within a block
    channels: int


SCALINGS = {
    "EfficientNetLite0": Scaling(1.0, 1.0),
    "EfficientNetLite1": Scaling(1.0, 1.1),
    "EfficientNetLite2": Scaling(1.1, 1.2),
}
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite(tf.Module):
    """A network from images float32 (n, height, width, 3), 0-255, RGB, to features float32 (n, 1280).

    Images may have any size from 32 pixels on. All of it can be trained; it has no dropout, and keeps no statistics.
    """

    def __init__(self, backbone: str, weights: Mapping[str, np.ndarray] | None = None) -> None:
        """Loads the network.

        Args:
            backbone: one of `SCALINGS`.
            weights: what `load_weights` returned for it; None loads them.

        Raises:
            ComponentError: the weights are missing, unreadable or of another network.
        """
        super().__init__()
        weights = load_weights(backbone) if weights is None else weights
        self.stem = Convolution(weights, "_conv_stem", "_bn0", (3, 3, 3, STEM_CHANNELS), stride=2)
        self.blocks = []
        channels = STEM_CHANNELS
        for number, stage in enumerate(block_stages(SCALINGS[backbone])):
            self.blocks.append(Block(weights, f"_blocks.{number}", channels, stage))
            channels = stage.channels
        self.top = Convolution(weights, "_conv_head", "_bn1", (1, 1, channels, FEATURES))

    @property
    def convolutions(self) -> list[Convolution]:
        """The convolutions, from the image to the features. Each has `filters` and a `bias`."""
        return [self.stem, *(layer for block in self.blocks for layer in block.convolutions), self.top]

    def __call__(self, images: tf.Tensor, compute_type: tf.DType = tf.float32) -> tf.Tensor:
        """Computes the features (n, 1280), averaged over the image. See `feature_map`."""
        return tf.reduce_mean(self.feature_map(images, compute_type), axis=(1, 2))

    def feature_map(self, images: tf.Tensor, compute_type: tf.DType = tf.float32) -> tf.Tensor:
        """Computes float32 (n, height / 32, width / 32, 1280), both rounded up, 0-6.

        Args:
            images: float32 (n, height, width, 3), 0-255, RGB.
            compute_type: of the 1x1 convolutions; bfloat16 pays on processors that multiply it. The
                others use float32: depthwise ones are slower in bfloat16.
        """
        x = self.stem((images - PIXEL_MEAN) * PIXEL_SCALE)
        for block in self.blocks:
            x = block(x, compute_type)
        return self.top(x, compute_type)


class Block(tf.Module):
    """A block: a 1x1 convolution that expands the channels, a depthwise one, and a 1x1 one that projects them back."""

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, channels: int, stage: Stage) -> None:
        super().__init__()
        inner, kernel = channels * stage.expansion, (stage.kernel, stage.kernel)
        self.expand = None
        if stage.expansion > 1:
            self.expand = Convolution(weights, f"{name}._expand_conv", f"{name}._bn0", (1, 1, channels, inner))
        self.depthwise = Convolution(
            weights, f"{name}._depthwise_conv", f"{name}._bn1", (*kernel, inner, 1), stride=stage.stride
        )
        self.project = Convolution(
            weights, f"{name}._project_conv", f"{name}._bn2", (1, 1, inner, stage.channels), activated=False
        )
        self.has_shortcut = stage.stride == 1 and channels == stage.channels

    @property
    def convolutions(self) -> list[Convolution]:
        """The two or three convolutions, in order."""
        return [layer for layer in (self.expand, self.depthwise, self.project) if layer is not None]

    def __call__(self, x: tf.Tensor, compute_type: tf.DType) -> tf.Tensor:
        """Computes float32 (n, height / stride, width / stride, stage's channels) from (n, height, width, channels)."""
        y = x if self.expand is None else self.expand(x, compute_type)
        y = self.project(self.depthwise(y), compute_type)
        return x + y if self.has_shortcut else y


class Convolution(tf.Module):
    """A convolution with a bias, and with ReLU6 if it is `activated`. Filters of shape (h, w, in, 1) are depthwise."""

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        convolution: str,
        norm: str,
        shape: tuple[int, ...],
        *,
        stride: int = 1,
        activated: bool = True,
    ) -> None:
        super().__init__()
        self.depthwise = shape[-1] == 1
        filters, bias = fold_batch_norm(weights, convolution, norm)
        filters = filters.transpose((2, 3, 0, 1) if self.depthwise else (2, 3, 1, 0))
        if filters.shape != shape:
            raise ComponentError(
                f"The filters of {convolution} have the shape {filters.shape} (height, width, in, out); this network "
                f"has {shape}. Take the weights of the same network."
            )
        self.filters = tf.Variable(filters, name=f"{convolution.lstrip('_')}/filters")
        self.bias = tf.Variable(bias, name=f"{convolution.lstrip('_')}/bias")
        self.stride = stride
        self.activated = activated

    def __call__(self, x: tf.Tensor, compute_type: tf.DType = tf.float32) -> tf.Tensor:
        """Computes float32 (n, height / stride, width / stride, out) in `compute_type`, with padding as needed."""
        x, filters, bias = (tf.cast(values, compute_type) for values in (x, self.filters, self.bias))
        if self.depthwise:
            y = tf.nn.depthwise_conv2d(x, filters, (1, self.stride, self.stride, 1), "SAME")
        else:
            y = tf.nn.conv2d(x, filters, self.stride, "SAME")
        y = tf.nn.bias_add(y, bias)
        return tf.cast(tf.nn.relu6(y) if self.activated else y, tf.float32)


def block_stages(scaling: Scaling) -> Iterator[Stage]:
    """Yields each block of a scaled network, as a stage of one block. The first and the last stage are not repeated."""
    for number, stage in enumerate(STAGES):
        is_inner = 0 < number < len(STAGES) - 1
        repeats = math.ceil(stage.repeats * scaling.depth) if is_inner else stage.repeats
        stage = stage._replace(repeats=1, channels=scaled_channels(stage.channels, scaling.width))
        yield stage
        for _ in range(repeats - 1):
            yield stage._replace(stride=1)


def scaled_channels(channels: int, width: float) -> int:
    """Returns the multiple of 8 nearest to `channels * width`, but not below 90 % of it."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def imagenet_head(weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the matrix, float32 (1280, 1000), and the bias (1000,) from features to the classes of ImageNet."""
    return weights["_fc.weight"].T.astype(np.float32), weights["_fc.bias"].astype(np.float32)
