"""Estimates the memory of a training step before the first one, and refuses a training that would be killed."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import tensorflow as tf

from components.component import ComponentError
from components.dataset_reader import stored_bytes_per_example
from components.memory import memory_left_bytes, used_memory_bytes
from components.train.data import Batches, StreamedBatches
from components.train.loop import Training
from components.train.recipe import Recipe

logger = logging.getLogger(__name__)

# What a step was measured to take, from what its tensors take: 10 cases on two cores, 0.83 to 1.19 of the measured.
STEP_FACTOR, STEP_EXTRA_BYTES = 1.2, 100_000_000
TIGHT_FRACTION = 0.85  # of the memory, from which on there is a warning

# Their outputs are their input's memory, or a variable's.
_ALIASES = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "Snapshot"})
_FREE = frozenset({"ReadVariableOp", "VarHandleOp", "Placeholder", "NoOp", "Shape", "ShapeN"})


def refuse_too_large_step(training: Training, left_bytes: int | None = None) -> None:
    """Estimates the memory of the largest step before the first one; the step reuses what is traced for it.

    Args:
        training: a training whose images are loaded, or will be streamed.
        left_bytes: what this process may still take; None: as the system says.

    Raises:
        ComponentError: the memory does not suffice. A training on GPUs is not refused: its tensors are there.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    left = memory_left_bytes() if left_bytes is None else left_bytes
    height, width = training.classifier.image_height, training.classifier.image_width
    tensors = step_bytes(training.step.trace(_largest_at(training.recipe), height, width))
    step, buffer, used = (
        round(tensors * STEP_FACTOR) + STEP_EXTRA_BYTES,
        _buffer_bytes(training.batches),
        used_memory_bytes(),
    )
    needed, limit = used + buffer + step, used + left
    logger.info("A step needs about %s of memory, the process %s of %s", _gb(step), _gb(needed), _gb(limit))
    if needed > limit:
        raise ComponentError(_refusal(training, step, used + buffer, limit))
    if needed > TIGHT_FRACTION * limit:
        logger.warning(
            "Training needs about %s of memory, and this process may use %s. If it is killed, lower train.batch_size.",
            _gb(needed),
            _gb(limit),
        )


def _refusal(training: Training, step: int, beside: int, limit: int) -> str:
    height, width, batch = training.classifier.image_height, training.classifier.image_width, training.batch_size
    room = max(limit - beside - STEP_EXTRA_BYTES, 0) / max(step - STEP_EXTRA_BYTES, 1)  # fraction of the step that fits
    name = getattr(training.recipe, "recipe", training.recipe.network)
    fitting = math.floor(batch * room)
    side = math.floor(min(height, width) * math.sqrt(room) / 8) * 8
    lower = [f"train.batch_size (now {batch}) to about {fitting}"] if fitting else []
    lower += (
        [f"train.image_size_pixels to about {side}"] if side >= training.classifier.network.minimum_size_pixels else []
    )
    advice = f"Lower {' or '.join(lower)}, or" if lower else "Lower train.max_cache_megabytes, or"
    return (
        f"Training by the recipe {name} would take about {_gb(beside + step)} of memory, and this process may use "
        f"{_gb(limit)}: a step with a batch of {batch} images of {height}x{width} pixels takes {_gb(step)}, and all "
        f"else {_gb(beside)}. {advice} train on a machine with more memory."
    )


def _largest_at(recipe: Recipe) -> float:
    """Returns the fraction of the training after which images are largest and all parts are trained."""
    largest = max(fraction for _, fraction in recipe.resolution_schedule)
    start = next(start for start, fraction in recipe.resolution_schedule if fraction == largest)
    return min(max(start, recipe.frozen_epochs / recipe.epochs), 1 - 1e-6)


def _buffer_bytes(batches: Batches) -> int:
    """Returns what a buffer of stored files will take; images that are cached are in memory already."""
    if not isinstance(batches, StreamedBatches):
        return 0
    return min(batches.count, batches.buffered_images) * stored_bytes_per_example(batches.examples, batches.split)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def step_bytes(graph: tf.Graph) -> int:
    """Estimates the most bytes that the tensors of a graph take at once, if its operations run in their order.

    A tensor is there from the operation that computes it to the last one that reads it. What the graph is given, and
    the variables, are not counted.
    """
    operations = [each for each in graph.get_operations() if each.type not in _FREE]
    owners: dict[str, str] = {}  # by name of a tensor: the tensor whose memory it is
    last_reader: dict[str, int] = {}
    for place, operation in enumerate(operations):
        for tensor in operation.outputs:
            source = operation.inputs[0].name if operation.type in _ALIASES else tensor.name
            owners[tensor.name] = owners.get(source, source)
            last_reader.setdefault(owners[tensor.name], place)
        for tensor in operation.inputs:
            last_reader[owners.get(tensor.name, tensor.name)] = place
    return max(_sums(operations, owners, last_reader), default=0)


def _sums(operations: list[tf.Operation], owners: dict[str, str], last_reader: dict[str, int]) -> Iterator[int]:
    """Yields the bytes that are taken while each operation runs."""
    taken, freed_after = 0, dict[int, int]()
    for place, operation in enumerate(operations):
        for tensor in operation.outputs:
            if owners[tensor.name] == tensor.name:
                taken += _bytes(tensor)
                until = last_reader[tensor.name]
                freed_after[until] = freed_after.get(until, 0) + _bytes(tensor)
        yield taken
        taken -= freed_after.pop(place, 0)


def _bytes(tensor: tf.Tensor) -> int:
    if tensor.dtype in (tf.resource, tf.variant, tf.string) or not tensor.shape.is_fully_defined():
        return 0
    return tensor.shape.num_elements() * tensor.dtype.size
