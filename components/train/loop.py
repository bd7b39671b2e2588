"""Runs the training loop: epochs and their records, with a checkpoint after each epoch and sometimes within one."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.artifacts import StartedFrom
from components.component import ComponentError
from components.train import schedule
from components.train.checkpoint import Checkpoint
from components.train.classifier import Classifier
from components.train.data import Batches
from components.train.devices import is_chief, worker_share
from components.train.early_stopping import BestWeights, Course, best_epoch, course
from components.train.example_selection import ExampleSelection
from components.train.lookahead import Lookahead
from components.train.optimizer import Optimizer
from components.train.progress import Progress
from components.train.recipe import Recipe
from components.train.step import TrainingStep, smoothed_cross_entropy

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 300.0  # between checkpoints within an epoch


@dataclass
class Sums:
    """The sums over the steps of the present epoch."""

    steps: int = 0
    loss: float = 0.0
    hits: int = 0


class Training:
    """A classifier in training. `history` has one record an epoch, as `components.artifacts.Model` documents it."""

    def __init__(
        self,
        recipe: Recipe,
        classifier: Classifier,
        batches: Batches,
        random_seed: int,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        """Takes the weight of an image by its class, float32 (classes,); without it, all images weigh the same."""
        self.recipe = recipe
        self.classifier = classifier
        self.batches = batches
        self.random_seed = random_seed
        self.batch_size = min(recipe.batch_size, batches.count)
        self.steps_per_epoch = batches.count // self.batch_size
        _refuse_idle_workers(self.batch_size, worker_share().count)
        batches.require_disk(self.batch_size, worker_share())
        self.history: list[dict[str, Any]] = []
        self._sums = Sums()
        self.started_from: StartedFrom | None = None
        network = classifier.network
        self._optimizer = Optimizer(recipe, network, self.batch_size)
        self._lookahead = Lookahead(network) if recipe.lookahead_steps else None
        self._best = BestWeights(network) if recipe.early_stopping_patience_epochs else None
        self._easy = ExampleSelection(batches.count, recipe.easy_fraction) if recipe.easy_fraction else None
        self.step = TrainingStep(
            recipe, network, self._optimizer, batches.count, random_seed, self._easy, class_weights
        )
        self._evaluate = tf.function(self._evaluate_batch, autograph=False)

    @property
    def planned_epochs(self) -> float:
        """The number of epochs without an early stop. A warm start trains only the last of the schedule's epochs."""
        warm = self.started_from is not None and self.started_from.version is not None
        return min((self.recipe.warm_start_epochs if warm else None) or self.recipe.epochs, self.recipe.epochs)

    @property
    def steps_done(self) -> int:
        """The number of steps that were done in all epochs."""
        return min(len(self.history) * self.steps_per_epoch + self._sums.steps, self._course.total_steps)

    @property
    def exported(self) -> dict[str, Any]:
        """The record of the epoch whose weights the network has at the end."""
        return self.history[best_epoch(self.history) - 1 if self._best else -1]

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Restores the state of the checkpoint, and returns whether there was one."""
        resumed = checkpoint.restore(self._variables)
        if resumed is None:
            return False
        self.history, self._sums = resumed["history"], Sums(**resumed["sums"])
        self.started_from = StartedFrom(**resumed["started_from"]) if resumed["started_from"] else None
        return True

    def start_from(self, started_from: StartedFrom) -> None:
        """Records where the network's present weights are from."""
        self.started_from = started_from
        if self._lookahead:
            self._lookahead.reset()

    def run(self, validation: Batches | None, checkpoint: Checkpoint, progress: Progress) -> None:
        """Trains to the end; with early stop, the network then has the weights of the best epoch.

        Raises:
            ComponentError: the loss or a weight is no longer a finite number.
        """
        progress.start(self.steps_done, self._course.total_steps, self.batch_size, self.history)
        while self.steps_done < self._course.total_steps:
            record = self._train_epoch(checkpoint, progress)
            self._refuse_lost_weights()
            if validation:
                record |= self._validate(validation)
            self.history.append(record)
            self._sums = Sums()
            if self._best and best_epoch(self.history) == len(self.history):
                self._best.keep()
            self._save(checkpoint)
            progress.epoch_done(record, self._course.total_steps)
        if self._best:
            self._best.restore()
            logger.info("The weights of epoch %d of %d are exported", self.exported["epoch"], len(self.history))

    @property
    def _course(self) -> Course:
        epochs, patience = self.planned_epochs, self.recipe.early_stopping_patience_epochs
        return course(self.history, epochs, self.steps_per_epoch, patience, 1 - epochs / self.recipe.epochs)

    @property
    def _variables(self) -> list[tf.Variable]:
        modules: list[tf.Module | None] = [self.classifier, self._optimizer, self._lookahead, self._best, self._easy]
        unique = {id(variable): variable for module in modules if module for variable in module.variables}
        return list(unique.values())

    def _train_epoch(self, checkpoint: Checkpoint, progress: Progress) -> dict[str, Any]:
        """Trains an epoch from its first step, or from the step at which a checkpoint was written."""
        epoch, course_, sums = len(self.history), self._course, self._sums
        first, saved = epoch * self.steps_per_epoch, progress.clock()
        steps = range(first, min(first + self.steps_per_epoch, course_.total_steps))
        left_out = self._leave_out(epoch)
        batches = self.batches.epoch(epoch, self.batch_size, self.random_seed, sums.steps, worker_share(), left_out)
        epochs_skipped = self.recipe.epochs - self.planned_epochs
        left = steps[sums.steps :]
        for step, batch in zip(left, batches.take(len(left)), strict=True):
            epochs_done = epochs_skipped + epoch + (step - first) / self.steps_per_epoch
            loss, hits = self.step(step, course_.done(step), epochs_done, *batch)
            if not math.isfinite(loss):
                raise self._diverged(f"The loss became {loss}", step + 1)
            self._look_ahead(step + 1, course_.done(step + 1))
            sums.steps, sums.loss, sums.hits = sums.steps + 1, sums.loss + loss, sums.hits + hits
            progress.steps_done(step + 1)
            if progress.clock() - saved >= CHECKPOINT_SECONDS and step != steps[-1]:
                self._save(checkpoint)
                saved = progress.clock()
        record: dict[str, Any] = {
            "epoch": epoch + 1,
            "learning_rate": self._learning_rate(steps[-1]),
            "loss": sums.loss / len(steps),
            "accuracy": sums.hits / (len(steps) * self.batch_size),
        }
        return record if left_out is None else {**record, "left_out_images": int(left_out.sum())}

    def _leave_out(self, epoch: int) -> np.ndarray | None:
        """Returns the images to leave out, bool (n,). An epoch that is resumed leaves out the same ones."""
        if self._easy and not self._sums.steps:
            self._easy.choose(epoch)
        return self._easy.left_out.numpy() if self._easy else None

    def _save(self, checkpoint: Checkpoint) -> None:
        started_from = self.started_from and self.started_from.model_dump()
        done = {"history": self.history, "sums": asdict(self._sums), "started_from": started_from}
        if is_chief():
            checkpoint.save(self._variables, done)

    def _look_ahead(self, steps_done: int, done: float) -> None:
        every = self.recipe.lookahead_steps
        if self._lookahead and (steps_done % every == 0 or done == 1):
            self._lookahead.update(tf.constant(schedule.lookahead_decay(done, every), tf.float32))

    def _learning_rate(self, step: int) -> float:
        return self.recipe.learning_rate * schedule.rate_fraction(self.recipe, step, self._course.done(step))

    def _refuse_lost_weights(self) -> None:
        """Refuses what the last step of an epoch has done: no later loss shows it."""
        if not all(np.isfinite(variable.numpy()).all() for variable in self.classifier.network.variables):
            steps = min((len(self.history) + 1) * self.steps_per_epoch, self._course.total_steps)
            raise self._diverged("A weight is no longer a finite number", steps)

    def _diverged(self, what: str, steps: int) -> ComponentError:
        """Returns the error that training must end with after so many steps."""
        is_exact = self.classifier.network.compute_type == tf.float32
        advice = "" if is_exact else ", or set train.precision to float32"
        return ComponentError(
            f"{what} at step {steps} of {self._course.total_steps}, at learning rate "
            f"{self._learning_rate(steps - 1):.3g} of the filters: training has diverged. Lower train.learning_rate "
            f"(now {self.recipe.learning_rate:g}), bias_learning_rate (now {self.recipe.bias_learning_rate:g}) or "
            f"head_learning_rate (now {self.recipe.head_learning_rate:g}){advice}."
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


def _refuse_idle_workers(batch_size: int, workers: int) -> None:
    if batch_size < workers:
        raise ComponentError(
            f"A batch of {batch_size} images cannot be shared by {workers} workers. Raise train.batch_size to at least "
            f"{workers}, or name fewer workers in TF_CONFIG."
        )
