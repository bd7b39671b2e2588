"""Defines one training step, in the TensorFlow graph: augment, differentiate, update."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train import schedule
from components.train.augmentation import Draws, augment, draw, shrink
from components.train.devices import own_share, total, worker_share
from components.train.example_selection import ExampleSelection
from components.train.network import Network
from components.train.optimizer import Optimizer
from components.train.recipe import Recipe

_AFTER_THE_START = 1e-6  # fraction of the training: a rate that rises from 0 is above it


class TrainingStep:
    """A training step, compiled for each image size and for each set of variables that is trained."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        optimizer: Optimizer,
        image_count: int,
        seed: int,
        easy_images: ExampleSelection | None = None,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        """Takes the weight of an image by its class, float32 (classes,); without it, all images weigh the same."""
        self.recipe = recipe
        self.network = network
        self.optimizer = optimizer
        self.batch_size = optimizer.batch_size
        self.seed = seed
        self.easy_images = easy_images
        self.class_weights = class_weights
        self.strategy = tf.distribute.get_strategy()
        # Alternating flip (arXiv 2404.00498, section 3.6): random in the first epoch, then alternating.
        self.mirrored_first = tf.random.stateless_uniform((image_count,), (seed, 0), 0, 2, tf.int32) == 1
        # On CPUs, XLA is 4 to 8 times slower than oneDNN; on several devices, it cannot sum over them.
        xla = bool(tf.config.list_physical_devices("GPU")) and self.strategy.num_replicas_in_sync == 1
        self._compiled = tf.function(self._train_everywhere, autograph=False, jit_compile=xla)

    def __call__(
        self, step: int, done: float, epoch: float, images: tf.Tensor, labels: tf.Tensor, indices: tf.Tensor
    ) -> tuple[float, int]:
        """Updates the network and the optimizer from one batch.

        Args:
            step: from 0.
            done: fraction of the whole training before this step.
            epoch: number of epochs so far, with a fraction.
            images: uint8 (n, height, width, 3), 0-255: this process's share of the batch.
            labels: int64 (n,).
            indices: int64 (n,), of the images in the training split.

        Returns:
            The mean loss of the whole batch, and the number of its images that were classified right before the update.
        """
        rates = {group: tf.constant(rate, tf.float32) for group, rate in self._rates(step, done, epoch).items()}
        mirrored = self._mirrored(indices, int(epoch))
        seed = tf.constant((self.seed, step + 1), tf.int32)
        size_fraction = schedule.size_fraction(self.recipe, done)
        loss, hits = self._compiled(images, labels, indices, mirrored, seed, rates, size_fraction)
        return float(loss), int(hits)

    def trace(self, done: float, image_height: int, image_width: int) -> tf.Graph:
        """Returns the graph of a step at a fraction of the training, without running it; the step reuses the trace."""
        count, done = worker_share().size(self.batch_size), max(done, _AFTER_THE_START)
        numbers, truths = tf.TensorSpec((count,), tf.int64), tf.TensorSpec((count,), tf.bool)
        rates = dict.fromkeys(self._rates(0, done, done * self.recipe.epochs), tf.TensorSpec((), tf.float32))
        return self._compiled.get_concrete_function(
            tf.TensorSpec((count, image_height, image_width, 3), tf.uint8),
            numbers,
            numbers,
            truths,
            tf.TensorSpec((2,), tf.int32),
            rates,
            schedule.size_fraction(self.recipe, done),
        ).graph

    def _rates(self, step: int, done: float, epoch: float) -> dict[str, float]:
        """Returns the fraction of the full learning rate by group.

        Groups without a rate are not in the graph: no gradient is computed for them.
        """
        trained = [group for group in self.network.groups if group == "head" or epoch >= self.recipe.frozen_epochs]
        rates = dict.fromkeys(trained, schedule.rate_fraction(self.recipe, step, done))
        if "whitening_bias" in rates:
            rates["whitening_bias"] = schedule.whitening_rate_fraction(self.recipe, epoch)
        return {group: rate for group, rate in rates.items() if rate > 0}

    def _mirrored(self, indices: tf.Tensor, epoch: int) -> tf.Tensor:
        if self.recipe.flip == "none":
            return tf.zeros_like(indices, tf.bool)
        mirrored = tf.gather(self.mirrored_first, indices)
        return tf.logical_not(mirrored) if epoch % 2 else mirrored

    def _train_everywhere(self, *arguments: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs `_train` on each device. All devices return the same."""
        results = self.strategy.run(self._train, arguments)
        return tuple(self.strategy.experimental_local_results(result)[0] for result in results)

    def _train(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        indices: tf.Tensor,
        mirrored: tf.Tensor,
        seed: tf.Tensor,
        rates: dict[str, tf.Tensor],
        size_fraction: float,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        augmentation_seed, network_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        padding, cutout = self.recipe.crop_padding_pixels, self.recipe.cutout_pixels
        # Drawn for the whole batch, so that the draws do not depend on which device computes an image.
        draws = worker_share().of(
            *draw(self.batch_size, images.shape[1], images.shape[2], augmentation_seed, padding, cutout)
        )
        images, labels, indices, mirrored, shifts, corners = own_share(images, labels, indices, mirrored, *draws)
        pixels = shrink(augment(images, mirrored, Draws(shifts, corners), cutout), size_fraction)
        trained = {group: variables for group, variables in self.network.groups.items() if group in rates}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tf.nest.flatten(trained))
            logits = self.network(pixels, seed=network_seed)
            losses = smoothed_cross_entropy(labels, logits, self.recipe.label_smoothing)
            weighted = losses if self.class_weights is None else losses * tf.gather(self.class_weights, labels)
            loss = tf.reduce_sum(weighted)
        self.optimizer.apply(total(tape.gradient(loss, trained)), rates)
        if self.easy_images:
            self.easy_images.record(indices, losses)
        hits = tf.math.count_nonzero(tf.argmax(logits, axis=-1) == labels)
        loss, hits = total(loss), total(hits)
        return loss / self.batch_size, hits


def smoothed_cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Returns float32 (n,), from labels int64 (n,) and logits float32 (n, classes).

    `smoothing` is spread over all classes.
    """
    class_count = logits.shape[-1]
    targets = tf.one_hot(labels, class_count) * (1 - smoothing) + smoothing / class_count
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)
