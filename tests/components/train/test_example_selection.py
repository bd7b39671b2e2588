from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.component import Workspace
from components.train import Train
from components.train.example_selection import ExampleSelection
from components.train.optimizer import Optimizer
from components.train.step import TrainingStep
from components.train.training import build_network
from tests.components.train.helpers import quick_config, split_statistics, statistics_of


def _left_out(easy_images: ExampleSelection, epoch: int) -> list[int]:
    easy_images.choose(epoch)
    return np.flatnonzero(easy_images.left_out.numpy()).tolist()


def _recorded(count: int, fraction: float, losses: list[float]) -> ExampleSelection:
    easy_images = ExampleSelection(count, fraction)
    easy_images.record(tf.range(len(losses), dtype=tf.int64), tf.constant(losses))
    return easy_images


def test_two_in_three_epochs_go_without_the_images_of_the_lowest_loss() -> None:
    easy_images = _recorded(5, 0.4, [0.5, 0.1, 0.9, 0.2, 0.3])

    left_out = [_left_out(easy_images, epoch) for epoch in range(8)]

    assert left_out == [[], [], [1, 3], [1, 3], [], [1, 3], [1, 3], []]


def test_the_last_loss_counts_and_what_was_never_seen_is_hard() -> None:
    easy_images = _recorded(4, 0.5, [0.1, 0.2, 0.3])

    easy_images.record(tf.constant([0], tf.int64), tf.constant([0.8]))

    assert _left_out(easy_images, 2) == [1, 2]
    np.testing.assert_allclose(easy_images.losses, [0.8, 0.2, 0.3, np.inf])


def test_an_image_that_a_batch_has_twice_has_the_mean_loss() -> None:
    easy_images = ExampleSelection(2, 0.5)

    easy_images.record(tf.constant([1, 0, 1], tf.int64), tf.constant([0.2, 0.3, 0.6]))

    np.testing.assert_allclose(easy_images.losses, [0.3, 0.4])


def test_a_step_records_the_loss_of_each_image_under_its_index() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    labels, config = np.arange(6) % 3, quick_config(batch_size=3)
    network = build_network(config, split_statistics(images, labels), 32, 32, 3)
    easy_images = ExampleSelection(6, 0.5)
    step = TrainingStep(config, network, Optimizer(config, network, 3), 6, 0, easy_images)
    indices = tf.constant([4, 1, 2], tf.int64)

    loss, _ = step(0, 0.1, 0.0, tf.gather(images, indices), tf.gather(labels, indices), indices)

    losses = easy_images.losses.numpy()
    assert np.isinf(losses[[0, 3, 5]]).all()
    assert len(set(losses[[1, 2, 4]])) == 3
    assert losses[[1, 2, 4]].mean() == pytest.approx(loss)


@pytest.mark.parametrize("values", [{}, {"random_crop_area_fraction": (0.5, 1.0)}], ids=["cached", "streamed"])
def test_it_learns_and_the_history_says_how_many_were_left_out(
    tiny: Examples, workspace: Workspace, values: dict[str, Any]
) -> None:
    config = quick_config(easy_fraction=0.25, epochs=5.0, **values)

    model = Train(config).run(workspace, tiny, statistics_of(tiny))

    history = json.loads((model.folder / "history.json").read_text())
    assert [record["left_out_images"] for record in history] == [0, 0, 24, 24, 0]
    assert model.validation_accuracy is not None
    assert model.validation_accuracy >= 0.8
