from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.train.optimizer import Optimizer
from components.train.step import TrainingStep
from components.train.training import build_network
from tests.components.train.helpers import quick_config, split_statistics


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
