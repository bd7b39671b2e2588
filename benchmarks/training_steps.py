"""Measures single training steps, compared with the machine's matrix products, and from tf.data and from memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.artifacts import Examples, Statistics
from components.train import TrainConfig
from components.train.data import Batches, batches
from components.train.network import Network
from components.train.optimizer import Optimizer
from components.train.step import TrainingStep
from components.train.training import build_network, image_size

MATRIX_SIDE = 2048
WARM_UP_STEPS = 3
TURNS = 5  # in each turn, everything that is compared is measured once


class StepFigures(NamedTuple):
    """The figures of steps at full image size, as medians over the turns."""

    images_per_second: float
    gflop_per_image: float
    gflop_per_second: float
    matrix_gflop_per_second: float
    rate_fraction: float  # the rate of steps divided by the rate of matrix products
    data_cost_fraction: float  # by how much tf.data makes a step longer, compared with one batch in memory


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
    turns = [(steps.take(data, count), steps.take(memory, count), matrix_flop_per_second()) for _ in range(TURNS)]
    images = count * config.batch_size
    flop = images * steps.flop_per_image
    return StepFigures(
        images_per_second=images / median(data for data, _, _ in turns),
        gflop_per_image=steps.flop_per_image / 1e9,
        gflop_per_second=flop / median(data for data, _, _ in turns) / 1e9,
        matrix_gflop_per_second=median(rate for _, _, rate in turns) / 1e9,
        rate_fraction=median(flop / data / rate for data, _, rate in turns),
        data_cost_fraction=median(data / memory - 1 for data, memory, _ in turns),
    )


def matrix_flop_per_second() -> float:
    """Returns the rate of float32 matrix products on all cores, the median of three."""
    square = tf.constant(np.random.default_rng(0).standard_normal((MATRIX_SIDE, MATRIX_SIDE)), tf.float32)
    return 2 * MATRIX_SIDE**3 / median(_seconds(lambda: tf.matmul(square, square).numpy()) for _ in range(3))


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


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
