"""Defines networks of keras.applications, pretrained on ImageNet, with a new head.

They are fine-tuned as in Keras's guide (keras.io/guides/transfer_learning): first only the head; then, at a low rate,
the whole network. Batch normalization keeps the statistics of its pretraining throughout.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from components.component import ComponentError
from components.home import expand_home
from components.train.network import Network, Setting
from components.train.recipe import IMAGENET, Recipe

DOWNLOAD_SECONDS = 60.0  # without a received byte
# The scaling of pixels from 0-255 that these networks expect; networks that are not listed scale pixels themselves.
PIXEL_SCALE_AND_SHIFT = {"MobileNetV2": (1 / 127.5, -1.0)}


class PretrainedNetwork(Network):
    """The features of a backbone, averaged over the image, and one matrix. It computes in float32 on any device."""

    minimum_size_pixels = 32

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        super().__init__(recipe, setting)
        backbone = load_backbone(recipe.backbone, recipe.backbone_weights, setting.image_height, setting.image_width)
        # The Keras object itself is not tracked: only the variables and the graph are saved.
        self.features = lambda images: backbone(images, training=False)
        self.scale, self.shift = PIXEL_SCALE_AND_SHIFT.get(recipe.backbone, (1.0, 0.0))
        self.backbone = [variable.value for variable in backbone.variables]
        trained = [variable.value for variable in backbone.trainable_variables]
        self.filters = [variable for variable in trained if len(variable.shape) > 1]
        self.biases = [variable for variable in trained if len(variable.shape) == 1]
        self.head = tf.Variable(tf.zeros((backbone.output_shape[-1], setting.class_count)), name="head")
        self.head_bias = tf.Variable(tf.zeros(setting.class_count), name="head/bias")

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """The trained variables by group. "biases" holds the biases and all that batch normalization learns."""
        return {"filters": self.filters, "biases": self.biases, "head": [self.head, self.head_bias]}

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the logits, in training and in inference alike. See `Network`.

        The images have the size that the network was made for.
        """
        features = self.features(images * self.scale + self.shift)
        return tf.matmul(tf.reduce_mean(features, axis=(1, 2)), self.head) + self.head_bias


def load_backbone(name: str, weights: str, height: int, width: int) -> Any:
    """Loads a Keras model from float32 (n, height, width, 3) to features (n, h, w, channels), with its weights.

    Args:
        name: name of a function of keras.applications.
        weights: "imagenet": Keras downloads them once, into its cache in the home folder; else the path of a file.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Raises:
        ComponentError: the weights cannot be downloaded, or the file is missing or of another network.
    """
    import keras

    make = getattr(keras.applications, name)
    shape = (height, width, 3)
    if weights == IMAGENET:
        with _downloading(name):
            return make(include_top=False, weights="imagenet", input_shape=shape)
    backbone = make(include_top=False, weights=None, input_shape=shape)
    file = expand_home(weights, "train.backbone_weights")
    if not file.is_file():
        raise ComponentError(
            f"train.backbone_weights: there is no file {file}. Name a file with the weights of {name}."
        )
    try:
        backbone.load_weights(str(file))
    # Keras passes on whatever its file readers raise.
    except Exception as error:
        raise ComponentError(
            f"train.backbone_weights: {file} does not hold the weights of {name} without its top "
            f"(Keras said: {_first_line(error)}). Name a file that `save_weights` or Keras's download has written."
        ) from error
    return backbone


@contextmanager
def _downloading(name: str) -> Iterator[None]:
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        yield
    except Exception as error:  # Keras raises Exception if a download fails
        raise ComponentError(
            f"The weights of {name}, pretrained on ImageNet, cannot be downloaded: {_first_line(error)}\n"
            "Fetch that file where there is a network (those without the top: `no_top` or `notop` is in the name), and "
            "set train.backbone_weights to its path here."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
