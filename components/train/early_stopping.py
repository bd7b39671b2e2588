"""Stops a training early when the validation metrics no longer improve, and finds the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from components.train.network import Network

History = list[dict[str, Any]]  # one record an epoch


@dataclass(frozen=True)
class Course:
    """The number of steps of a training, and how far on its schedule each of them is.

    A warm start takes only the end of the schedule. After a plateau, the rest of the schedule is run through in a few
    epochs: the rates fall to their end, the images grow to their size. An immediate stop would keep weights that a high
    rate has left far from any minimum.
    """

    planned_steps: int
    turn_step: int  # from this step on the schedule is run through faster
    total_steps: int
    skipped_fraction: float = 0.0  # fraction of the schedule that a warm start skips

    def done(self, step: int) -> float:
        """Returns the fraction of the schedule before `step`."""
        passed = min(step, self.turn_step) / self.planned_steps
        if step > self.turn_step:
            passed += (1 - passed) * (step - self.turn_step) / (self.total_steps - self.turn_step)
        return self.skipped_fraction + (1 - self.skipped_fraction) * passed


def course(
    history: History,
    epochs: float,
    steps_per_epoch: int,
    patience_epochs: int | None = None,
    skipped_fraction: float = 0.0,
) -> Course:
    """Returns the course of a training of `epochs` epochs, by its history so far.

    Without patience it is the planned one.
    """
    planned = max(1, round(epochs * steps_per_epoch))
    plateau = stopping_epoch(history, patience_epochs) if patience_epochs else None
    if plateau is not None and patience_epochs is not None:
        turn, end = plateau * steps_per_epoch, (plateau + patience_epochs) * steps_per_epoch
        if end < planned:
            return Course(planned, turn, end, skipped_fraction)
    return Course(planned, planned, planned, skipped_fraction)


def best_epoch(history: History) -> int:
    """Returns the number of the best epoch, from 1.

    It is the first of the highest validation accuracy and, among these, of the lowest validation loss.
    """
    return 1 + max(range(len(history)), key=lambda index: (_merit(history[index]), -index))


def stopping_epoch(history: History, patience_epochs: int) -> int | None:
    """Returns the first epoch that ends `patience_epochs` epochs without a better one; None if there is none."""
    best = 1
    for epoch in range(2, len(history) + 1):
        if _merit(history[epoch - 1]) > _merit(history[best - 1]):
            best = epoch
        elif epoch - best >= patience_epochs:
            return epoch
    return None


def _merit(record: dict[str, Any]) -> tuple[float, float]:
    return record["validation_accuracy"], -record["validation_loss"]


class BestWeights(tf.Module):
    """Copies of all of a network's variables, from the best epoch so far."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.current = network.variables
        self.best = [tf.Variable(variable, trainable=False, name="best") for variable in self.current]

    def keep(self) -> None:
        """Stores the network's present weights as the best."""
        for best, current in zip(self.best, self.current, strict=True):
            best.assign(current)

    def restore(self) -> None:
        """Sets the network's weights to the stored ones."""
        for best, current in zip(self.best, self.current, strict=True):
            current.assign(best)
