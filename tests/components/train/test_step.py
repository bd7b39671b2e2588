from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.train import TrainConfig
from components.train.optimizer import Optimizer
from components.train.step import TrainingStep, smoothed_cross_entropy
from components.train.training import build_network
from tests.components.train.helpers import quick_config, split_statistics

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(8) % 3


def _step(config: TrainConfig) -> TrainingStep:
    network = build_network(config, split_statistics(IMAGES, LABELS), 32, 32, 3)
    return TrainingStep(config, network, Optimizer(config, network, 8), 8, seed=0)


@pytest.mark.parametrize(
    "values",
    [
        {"recipe": "cifar96", "widths": (8, 8, 16)},
        {"recipe": "resnet50", "widths": (4, 8), "blocks_per_width": (1, 1), "image_size_pixels": 32},
    ],
    ids=["cifar96", "resnet50"],
)
def test_a_step_of_the_recipes_for_gpus_trains(values: dict[str, Any]) -> None:
    step = _step(TrainConfig(**values, batch_size=8))
    before = [variable.numpy() for variable in step.network.trainable_variables]

    loss, hits = step(0, 0.1, 0.0, tf.constant(IMAGES), tf.constant(LABELS), tf.range(8, dtype=tf.int64))

    assert 0 < loss < 10
    assert 0 <= hits <= 8
    after = [variable.numpy() for variable in step.network.trainable_variables]
    assert all(np.isfinite(value).all() for value in after)
    assert any((new != old).any() for new, old in zip(after, before, strict=True))


def test_images_are_mirrored_the_other_way_in_every_other_epoch() -> None:
    step = _step(quick_config(batch_size=8))
    indices = tf.range(8, dtype=tf.int64)

    first, second, third = (step._mirrored(indices, epoch).numpy() for epoch in range(3))

    assert 0 < first.sum() < 8
    np.testing.assert_array_equal(second, ~first)
    np.testing.assert_array_equal(third, first)
    assert not _step(quick_config(batch_size=8, flip="none"))._mirrored(indices, 1).numpy().any()


def test_a_frozen_whitening_bias_is_not_written_in_the_graph() -> None:
    step = _step(quick_config(batch_size=8))
    groups = tuple(step.network.groups)

    trained, frozen = (
        _written(step, which) for which in (groups, tuple(name for name in groups if name != "whitening_bias"))
    )

    assert frozen == trained - {"whitening_bias"}


def _written(step: TrainingStep, groups: tuple[str, ...]) -> set[str]:
    """Which groups' variables a step that trains `groups` writes to."""
    rates = {group: tf.constant(1.0) for group in groups}
    indices, mirrored = tf.range(8, dtype=tf.int64), tf.zeros(8, tf.bool)
    graph = step._compiled.get_concrete_function(
        tf.constant(IMAGES), tf.constant(LABELS), indices, mirrored, tf.constant((0, 1)), rates, 1.0
    ).graph
    handles = {
        placeholder.name: group
        for handle, placeholder in graph.captures
        for group, variables in step.network.groups.items()
        if any(handle is variable.handle for variable in variables)
    }
    written = [op.inputs[0].name for op in graph.get_operations() if op.type.startswith("Assign")]
    return {handles[name] for name in written if name in handles}


def test_smoothing_spreads_a_part_of_the_label_over_all_classes() -> None:
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]], np.float32)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    sharp, smooth = (
        smoothed_cross_entropy(tf.constant([0, 2], tf.int64), tf.constant(logits), part) for part in (0.0, 0.3)
    )

    np.testing.assert_allclose(sharp, -logs[[0, 1], [0, 2]], rtol=1e-6)
    targets = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(smooth, -(targets * logs).sum(axis=1), rtol=1e-6)


def test_images_weigh_as_much_as_their_classes_do() -> None:
    config = quick_config(batch_size=8, label_smoothing=0.0)
    batch = (tf.constant(IMAGES), tf.constant(LABELS), tf.range(8, dtype=tf.int64))

    def first_loss(class_weights: list[float] | None) -> float:
        network = build_network(config, split_statistics(IMAGES, LABELS), 32, 32, 3)
        weights = None if class_weights is None else np.array(class_weights, np.float32)
        step = TrainingStep(config, network, Optimizer(config, network, 8), 8, seed=0, class_weights=weights)
        return step(0, 0.1, 0.0, *batch)[0]

    own = [first_loss([label == only for label in range(3)]) for only in range(3)]
    assert sum(own) == pytest.approx(first_loss(None))
    assert min(own) > 0
    assert first_loss([1, 2, 4]) == pytest.approx(own[0] + 2 * own[1] + 4 * own[2])


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [1]], ids=["one class", "one image"])
def test_a_batch_in_which_classes_are_missing_trains_like_any_other(labels: list[int]) -> None:
    count = len(labels)
    config = quick_config(batch_size=count)
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    network = build_network(config, split_statistics(images, np.array(labels)), 32, 32, 3)
    step = TrainingStep(config, network, Optimizer(config, network, count), count, seed=0)
    batch = (tf.constant(images), tf.constant(labels, tf.int64), tf.range(count, dtype=tf.int64))

    losses = [step(number, number / 10, 0.0, *batch)[0] for number in range(3)]

    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(variable.numpy()).all() for variable in network.variables)
