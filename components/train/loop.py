"""The training loop: epochs, their records, and a checkpoint after each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.component import Refusal
from components.train import checkpoint, schedule
from components.train.averaging import Lookahead
from components.train.classifier import Classifier
from components.train.data import Batches
from components.train.optimizer import Optimizer
from components.train.progress import Progress
from components.train.recipes import Recipe
from components.train.step import TrainingStep, smoothed_cross_entropy


class Training:
    """A classifier in training. `history` has one record an epoch, as `components.artifacts.Model` documents them."""

    def __init__(self, recipe: Recipe, classifier: Classifier, batches: Batches, random_seed: int) -> None:
        self.recipe = recipe
        self.classifier = classifier
        self.batches = batches
        self.random_seed = random_seed
        self.batch_size = min(recipe.batch_size, batches.count)
        self.steps_per_epoch = batches.count // self.batch_size
        self.total_steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.history: list[dict[str, Any]] = []
        network = classifier.network
        self._optimizer = Optimizer(recipe, network, self.batch_size)
        self._lookahead = Lookahead(network) if recipe.lookahead_steps else None
        self._step = TrainingStep(recipe, network, self._optimizer, batches.count, random_seed)
        self._evaluate = tf.function(self._evaluate_batch, autograph=False)

    @property
    def steps_done(self) -> int:
        """As of the last epoch's end."""
        return min(len(self.history) * self.steps_per_epoch, self.total_steps)

    def run(self, validation: Batches | None, checkpoint_path: Path, work: str, progress: Progress) -> None:
        """Trains to the end, from the checkpoint of the same `work` if there is one.

        Raises:
            Refusal: the loss is no longer a number.
        """
        resumed = checkpoint.restore(checkpoint_path, work, self._variables)
        self.history = resumed["history"] if resumed else []
        progress.start(self.steps_done, self.total_steps, self.batch_size, self.history)
        while self.steps_done < self.total_steps:
            record = self._train_epoch(progress)
            if validation:
                record |= self._validate(validation)
            self.history.append(record)
            checkpoint.save(checkpoint_path, work, self._variables, {"history": self.history})
            progress.epoch_done(record)

    @property
    def _variables(self) -> list[tf.Variable]:
        modules: list[tf.Module] = [self.classifier, self._optimizer]
        modules += [self._lookahead] if self._lookahead else []
        unique = {id(variable): variable for module in modules for variable in module.variables}
        return list(unique.values())

    def _train_epoch(self, progress: Progress) -> dict[str, Any]:
        epoch, first = len(self.history), self.steps_done
        steps = range(first, min(first + self.steps_per_epoch, self.total_steps))
        batches = self.batches.epoch(epoch, self.batch_size, self.random_seed).take(len(steps))
        loss_sum, hits = 0.0, 0
        for step, batch in zip(steps, batches, strict=True):
            loss, batch_hits = self._step(step, self.total_steps, epoch + (step - first) / self.steps_per_epoch, *batch)
            self._refuse_divergence(loss, step)
            self._look_ahead(step + 1)
            loss_sum, hits = loss_sum + loss, hits + batch_hits
            progress.steps_done(step + 1)
        return {
            "epoch": epoch + 1,
            "learning_rate": self._learning_rate(steps[-1]),
            "loss": loss_sum / len(steps),
            "accuracy": hits / (len(steps) * self.batch_size),
        }

    def _look_ahead(self, steps_done: int) -> None:
        every = self.recipe.lookahead_steps
        if self._lookahead and (steps_done % every == 0 or steps_done == self.total_steps):
            decay = schedule.lookahead_decay(steps_done, self.total_steps, every)
            self._lookahead.update(tf.constant(decay, tf.float32))

    def _learning_rate(self, step: int) -> float:
        return self.recipe.filter_learning_rate * schedule.rate_fraction(self.recipe, step, self.total_steps)

    def _refuse_divergence(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise Refusal(
                f"The loss became {loss} at step {step + 1} of {self.total_steps}, at learning rate "
                f"{self._learning_rate(step):.3g} of the filters: training has diverged. "
                f"Lower train.filter_learning_rate (now {self.recipe.filter_learning_rate:g}), bias_learning_rate "
                f"(now {self.recipe.bias_learning_rate:g}) or head_learning_rate "
                f"(now {self.recipe.head_learning_rate:g})."
            )

    def _validate(self, validation: Batches) -> dict[str, float]:
        losses, hits = zip(*(self._evaluate(images, labels) for images, labels in validation.in_order()), strict=True)
        return {
            "validation_loss": float(sum(losses)) / validation.count,
            "validation_accuracy": int(sum(hits)) / validation.count,
        }

    def _evaluate_batch(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self.classifier.logits(tf.cast(images, tf.float32))
        hits = tf.math.count_nonzero(tf.argmax(logits, axis=-1) == labels)
        return tf.reduce_sum(smoothed_cross_entropy(labels, logits, 0.0)), hits
