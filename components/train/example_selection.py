"""Leaves easy images, those of the lowest loss, out of most epochs, so that the others are seen more often.

From Jiang et al. 2019, "Accelerating deep learning by focusing on the biggest losers" (arXiv 1910.00762), but without
its extra forward pass: an image's loss is that of the last step that it took part in.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.train.devices import total

FIRST_EPOCH = 2  # from 0; earlier losses say little about an image
# Every third epoch from there on has all images. The number is odd, so that each image is still mirrored both ways.
PERIOD_EPOCHS = 3


class ExampleSelection(tf.Module):
    """The last loss of each image of a split, and the images that are left out of the present epoch."""

    def __init__(self, count: int, fraction: float) -> None:
        super().__init__()
        self.fraction = fraction
        # Images that were never seen count as the hardest.
        self.losses = tf.Variable(tf.fill((count,), np.inf), trainable=False, name="losses")
        self.left_out = tf.Variable(tf.zeros((count,), tf.bool), trainable=False, name="left_out")

    def choose(self, epoch: int) -> None:
        """Decides which images are left out of the epoch, from 0, that is about to begin."""
        left_out = np.zeros(self.losses.shape, bool)
        if epoch >= FIRST_EPOCH and (epoch - FIRST_EPOCH) % PERIOD_EPOCHS != PERIOD_EPOCHS - 1:
            easiest_first = np.argsort(self.losses.numpy(), kind="stable")
            left_out[easiest_first[: int(self.fraction * len(left_out))]] = True
        self.left_out.assign(left_out)

    def record(self, indices: tf.Tensor, losses: tf.Tensor) -> None:
        """Stores the losses, float32 (n,), of a device's part of a batch; `indices` int64 (n,), of the whole split."""
        where, shape = indices[:, tf.newaxis], self.losses.shape
        sums, counts = total((tf.scatter_nd(where, losses, shape), tf.scatter_nd(where, tf.ones_like(losses), shape)))
        self.losses.assign(tf.where(counts > 0, sums / counts, self.losses))
