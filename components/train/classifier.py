"""Defines what is validated and exported: a network with its classes and the way in which an image reaches it."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from components.images.decode_graph import decode_upright
from components.images.resize import crop_and_resize
from components.train.deterministic_export import make_deterministic
from components.train.network import Network


class Classifier(tf.Module):
    """A classifier from raw pixels, or from an encoded image, to probabilities."""

    def __init__(
        self,
        network: Network,
        image_height: int,
        image_width: int,
        class_names: tuple[str, ...],
        mirror_averaging: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.image_height, self.image_width = image_height, image_width
        self.class_names = class_names
        self.mirror_averaging = mirror_averaging
        self.temperature = 1.0  # set by `calibrate` once the network is trained

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Computes float32 (n, classes) from float32 (n, height, width, 3), 0-255.

        With mirror averaging, it is the mean of an image's logits and of its mirror image's.
        """
        logits = self.network(images)
        if not self.mirror_averaging:
            return logits
        return (logits + self.network(tf.reverse(images, axis=[2]))) / 2

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Computes the probabilities of the images at the classifier's temperature; shapes as in `logits`."""
        return tf.nn.softmax(self.logits(images) * (1 / self.temperature))

    def save(self, folder: Path) -> None:
        """Writes a SavedModel with the signatures that `components.artifacts.Model` documents."""
        tf.saved_model.save(
            self,
            str(folder),
            signatures={
                "serving_default": tf.function(
                    self._classify, input_signature=[self._images(tf.uint8)], autograph=False
                ),
                "encoded": tf.function(
                    self._classify_encoded,
                    input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")],
                    autograph=False,
                ),
                "pixels": self.pixels(),
            },
        )
        make_deterministic(folder)

    def pixels(self) -> tf.types.experimental.PolymorphicFunction:
        """Returns the signature for converters, which holds only the network."""
        return tf.function(
            lambda image: {"probabilities": self.probabilities(image)},
            input_signature=[self._images(tf.float32)],
            autograph=False,
        )

    def _images(self, type_: tf.DType) -> tf.TensorSpec:
        return tf.TensorSpec((None, self.image_height, self.image_width, 3), type_, "image")

    def _classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self.probabilities(tf.cast(image, tf.float32))
        class_id = tf.argmax(probabilities, axis=-1)
        class_name = tf.gather(tf.constant(self.class_names), class_id)
        return {"probabilities": probabilities, "class_id": class_id, "class_name": class_name}

    def _classify_encoded(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.TensorSpec((self.image_height, self.image_width, 3), tf.uint8)
        return self._classify(tf.map_fn(self._decode, image_bytes, fn_output_signature=shape))

    def _decode(self, image_bytes: tf.Tensor) -> tf.Tensor:
        return crop_and_resize(decode_upright(image_bytes), self.image_height, self.image_width)
