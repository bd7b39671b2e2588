"""Defines the network of the recipes `transfer` and `finetune`: a pretrained EfficientNet-Lite with a new head."""

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
        """The trained variables: those of the backbone, and the head's matrix with its bias."""
        convolutions = self.backbone.convolutions
        return {
            "filters": [layer.filters for layer in convolutions],
            "biases": [layer.bias for layer in convolutions],
            "head": [self.head, self.head_bias],
        }

    def start_from(self, head: Head) -> None:
        """Takes over a head that was fitted on stored features."""
        self.head.assign(head.weights)
        self.head_bias.assign(head.biases)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits. See `Network`. The images may have any size from `minimum_size_pixels` on."""
        features = self.backbone(images, tf.float32 if seed is None else self.compute_type)
        return tf.matmul(features, self.head) + self.head_bias
