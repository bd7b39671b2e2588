"""Reads and decodes images in batches, also images of several sizes."""

from __future__ import annotations

import tensorflow as tf

from components import dataset_reader
from components.artifacts import Examples


@dataset_reader.plain
def read_in_batches(examples: Examples, slice_: str, batch_size: int) -> tf.data.Dataset:
    """Reads batches of what `dataset_reader.read` gives.

    Yields (pixels uint8 (bytes,), sizes int32 (batch, 2), labels int64 (batch,)): the values of all images one after
    the other, in (row, column, channel) order, and the height and width of each.
    """

    def decode(encoded: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        def step(
            index: tf.Tensor, pixels: tf.TensorArray, sizes: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            image = dataset_reader.decode(examples, encoded[index])
            return index + 1, pixels.write(index, tf.reshape(image, [-1])), sizes.write(index, tf.shape(image)[:2])

        count = tf.size(labels)
        pixels = tf.TensorArray(tf.uint8, count, infer_shape=False, element_shape=(None,))
        sizes = tf.TensorArray(tf.int32, count, element_shape=(2,))
        _, pixels, sizes = tf.while_loop(lambda index, *_: index < count, step, (0, pixels, sizes))
        return pixels.concat(), sizes.stack(), labels

    encoded = dataset_reader.read_encoded(examples, slice_).batch(batch_size)
    return encoded.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
