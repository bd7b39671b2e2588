"""Measures single training steps, compared with the machine's matrix products, and from tf.data and from memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

import tensorflow as tf

from benchmarks.machine import matrix_flop_per_second
from components.artifacts import Examples, Statistics
from components.train import TrainConfig
from components.train.data import Batches, batches
from components.train.network import Network
from components.train.optimizer import Optimizer
from components.train.step import TrainingStep
from components.train.training import build_network, image_size

WARM_UP_STEPS = 3
PRECISIONS = ("float32", "bfloat16")
TURNS = 5  # in each turn, everything that is compared is measured once


class StepFigures(NamedTuple):
    """The figures of steps at full image size, as medians over the turns."""

    images_per_second: float
    gflop_per_image: float
    gflop_per_second: float
    precision: str  # of the convolutions
    float32_gflop_per_second: float  # of matrix products
    bfloat16_gflop_per_second: float
    rate_fraction: float  # the rate of steps divided by the rate of matrix products of the same precision
    data_cost_fraction: float  # by how much tf.data makes a step longer, compared with one batch in memory


class Turn(NamedTuple):
    """What was measured one after another: the seconds of as many steps, and the rates of matrix products."""

    data_seconds: float
    memory_seconds: float
    float32: float
    bfloat16: float


class Steps:
    """The last steps of a recipe, which can be taken repeatedly."""

    def __init__(self, config: TrainConfig, examples: Examples, statistics: Statistics) -> None:
        height, width = image_size(config, examples)
        self.config = config
        self.network = build_network(config, statistics.splits["train"], height, width, len(examples.class_names))
        self.batches = batches(examples, "train", height, width, config.max_cache_megabytes)
        optimizer = Optimizer(config, self.network, min(config.batch_size, self.batches.count))
        self._step = TrainingStep(config, self.network, optimizer, self.batches.count, config.random_seed)
        self.flop_per_image = training_flop(self.network, height, width)

    def take(self, source: Iterator[Any], count: int) -> float:
        """Takes `count` steps and returns the seconds that they took."""
        started = time.perf_counter()
        for batch in itertools.islice(source, count):
            # The last of very many steps: images of full size, and a learning rate so low that the loss stays finite.
            self._step(10**9 - 1, 1 - 1e-9, self.config.epochs, *batch)
        return time.perf_counter() - started

    def from_data(self) -> Iterator[Any]:
        """Returns batches as training gets them, without end."""
        return _endless(self.batches, self.config)

    def from_memory(self) -> Iterator[Any]:
        """Returns the same batch, without end."""
        return itertools.repeat(next(self.from_data()))


def measure_steps(config: TrainConfig, examples: Examples, statistics: Statistics, seconds: float) -> StepFigures:
    """Measures steps from tf.data, steps from memory, and matrix products in turns, about `seconds` each for steps."""
    steps = Steps(config, examples, statistics)
    data, memory = steps.from_data(), steps.from_memory()
    steps.take(data, WARM_UP_STEPS)
    count = max(2, round(seconds / TURNS / (steps.take(data, WARM_UP_STEPS) / WARM_UP_STEPS)))
    precision = config.arithmetic.type
    turns = [
        Turn(steps.take(data, count), steps.take(memory, count), *map(matrix_flop_per_second, PRECISIONS))
        for _ in range(TURNS)
    ]
    images = count * config.batch_size
    flop = images * steps.flop_per_image
    return StepFigures(
        images_per_second=images / median(turn.data_seconds for turn in turns),
        gflop_per_image=steps.flop_per_image / 1e9,
        gflop_per_second=flop / median(turn.data_seconds for turn in turns) / 1e9,
        precision=precision,
        float32_gflop_per_second=median(turn.float32 for turn in turns) / 1e9,
        bfloat16_gflop_per_second=median(turn.bfloat16 for turn in turns) / 1e9,
        rate_fraction=median(flop / turn.data_seconds / getattr(turn, precision) for turn in turns),
        data_cost_fraction=median(turn.data_seconds / turn.memory_seconds - 1 for turn in turns),
    )


def training_flop(network: Network, height: int, width: int) -> float:
    """Returns the floating-point operations of the matrix products for one image: forward, and twice that backward.

    A layer that is never trained costs only its forward pass. Pooling, normalization and the optimizer do not count.
    """
    forward = tf.function(network, autograph=False).get_concrete_function(tf.TensorSpec((1, height, width, 3)))
    flop = [_flop(node) for node in forward.graph.get_operations() if node.type in ("Conv2D", "MatMul")]
    frozen = flop[0] if hasattr(network, "whitening") else 0.0
    return 3 * sum(flop) - 2 * frozen


def _flop(product: tf.Operation) -> float:
    """Returns two operations for each multiplication: the outputs times the inputs that each of them sums over."""
    weights = product.inputs[1].shape
    return 2.0 * product.outputs[0].shape.num_elements() * weights.num_elements() / weights[-1]


def _endless(source: Batches, config: TrainConfig) -> Iterator[Any]:
    return (
        batch
        for epoch in itertools.count()
        for batch in source.epoch(epoch, min(config.batch_size, source.count), config.random_seed)
    )
