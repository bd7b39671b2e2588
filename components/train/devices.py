"""Distributes a training over several devices, each of which computes its part of every batch.

One process drives the GPUs of one machine (tf.distribute.MirroredStrategy). With TF_CONFIG in the environment, as
TensorFlow documents it, one process on each machine takes part (MultiWorkerMirroredStrategy): all start the same
command, all end with the same weights, and worker 0, or the chief, keeps the checkpoints.

Gradients and the moments of batch normalization are summed over all parts. Apart from rounding and dropout, the result
does not depend on the number of devices.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from components.component import ComponentError


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """Returns the strategy of this process, made once, when the workers meet.

    With one device it is TensorFlow's default. A cluster of one worker is this machine alone.

    Raises ComponentError if TF_CONFIG cannot be read, or if the process has used TensorFlow before.
    """
    if len(_workers()) > 1:
        return _meet()
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy(gpus) if len(gpus) > 1 else tf.distribute.get_strategy()


def _meet() -> tf.distribute.Strategy:
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except ValueError as error:
        raise _unreadable(error) from error
    except RuntimeError as error:
        raise ComponentError(
            f"TF_CONFIG asks for training on several machines, and TensorFlow says `{error}`: it has worked in "
            "this process before. Run up to `normalize` first, without TF_CONFIG, then again from `train` with it."
        ) from error


def is_chief() -> bool:
    """Returns whether this process keeps the checkpoints."""
    return worker_share().index == 0


@contextmanager
def scope(chosen: tf.distribute.Strategy) -> Iterator[None]:
    """Creates variables on every device within the scope; all devices assign the same values to them."""

    def create(next_creator: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
        if chosen.num_replicas_in_sync > 1:
            options["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return next_creator(**options)

    with chosen.scope(), tf.variable_creator_scope(create):
        yield


@dataclass(frozen=True)
class Share:
    """Every `count`-th image of a batch, from `index` on. All shares together are the batch."""

    index: int
    count: int

    def of(self, *tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the share of each tensor: (n, ...) to (`size` of n, ...)."""
        return tensors if self.count == 1 else tuple(tensor[self.index :: self.count] for tensor in tensors)

    def size(self, batch_size: int) -> int:
        """Returns the number of images that the share has of a batch."""
        return len(range(self.index, batch_size, self.count))


WHOLE = Share(0, 1)


def worker_share() -> Share:
    """Returns the share of each batch that this process reads: with TF_CONFIG, one share for each process."""
    workers, task = _workers(), _tf_config().get("task", {})
    return Share(workers.index((task["type"], task["index"])), len(workers)) if len(workers) > 1 else WHOLE


def own_share(*tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns this device's share of what its process has of a batch."""
    replica = tf.distribute.get_replica_context()
    devices = replica.num_replicas_in_sync // worker_share().count
    return Share(replica.replica_id_in_sync_group % devices, devices).of(*tensors)


def total(value: Any) -> Any:
    """Returns the sum over all devices of a tensor, or of each tensor in a nest of them, all of one type."""
    replica = tf.distribute.get_replica_context()
    return value if replica.num_replicas_in_sync == 1 else replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def _workers() -> list[tuple[str, int]]:
    """Returns the type and index of each process that takes part; none without TF_CONFIG."""
    cluster = _tf_config().get("cluster", {})
    return [(type_, index) for type_ in ("chief", "worker") for index in range(len(cluster.get(type_, [])))]


def _tf_config() -> dict[str, Any]:
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise _unreadable(error) from error
    if not isinstance(config, dict):
        raise _unreadable("expected a JSON object")
    return config


def _unreadable(reason: object) -> ComponentError:
    text = os.environ.get("TF_CONFIG", "")
    return ComponentError(f"TF_CONFIG is {text!r:.80}: {reason}. Leave it unset to train on this machine.")
