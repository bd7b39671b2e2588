"""Defines the network of the recipe `transfer`: a frozen, pretrained EfficientNet-Lite with a new head."""

from __future__ import annotations

import tensorflow as tf

from components.backbone.efficientnet_lite import FEATURES, MINIMUM_SIZE_PIXELS, EfficientNetLite
from components.train.head import Head
from components.train.network import Network, Setting
from components.train.recipe import Recipe


class LiteNetwork(Network):
    """The features of an EfficientNet-Lite, averaged over the image, and one matrix."""

    minimum_size_pixels = MINIMUM_SIZE_PIXELS

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__(recipe, setting)
        self.backbone = EfficientNetLite(recipe.backbone)
        self.head = tf.Variable(tf.zeros((FEATURES, setting.class_count)), name="head")
        self.head_bias = tf.Variable(tf.zeros(setting.class_count), name="head/bias")

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables: those of the head."""
        return {"head": [self.head, self.head_bias]}

    def start_from(self, head: Head) -> None:
        """Takes over a head that was fitted on stored features."""
        self.head.assign(head.weights)
        self.head_bias.assign(head.biases)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits. See `Network`; it is not trained by steps."""
        return tf.matmul(self.backbone(images), self.head) + self.head_bias
