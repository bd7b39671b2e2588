from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.train import TrainConfig
from components.train.network import Setting
from components.train.resnet import ResNet
from tests.components.train.helpers import split_statistics

SMALL = {"recipe": "resnet50", "widths": (4, 8), "blocks_per_width": (1, 2)}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), np.uint8)


@pytest.fixture
def setting(images: np.ndarray) -> Setting:
    return Setting(split_statistics(images, np.zeros(len(images), int)), 32, 32, 5, np.random.default_rng(0))


def test_resnet_50_has_the_weights_of_resnet_50(setting: Setting) -> None:
    thousand_classes = Setting(setting.statistics, 224, 224, 1000, setting.random)

    network = ResNet(TrainConfig(recipe="resnet50"), thousand_classes)

    assert sum(int(np.prod(variable.shape)) for variable in network.trainable_variables) == 25_557_032
    assert len(network.groups["filters"]) == 53


def test_every_trained_variable_is_in_one_group(setting: Setting) -> None:
    network = ResNet(TrainConfig(**SMALL), setting)

    grouped = [id(variable) for group in network.groups.values() for variable in group]

    assert sorted(grouped) == sorted(id(variable) for variable in network.trainable_variables)


def test_a_block_begins_as_its_shortcut(setting: Setting, images: np.ndarray) -> None:
    network = ResNet(TrainConfig(**SMALL), setting)
    block = network.blocks[-1]
    x = tf.nn.relu(tf.random.stateless_normal((2, 4, 4, 32), (0, 0)))

    np.testing.assert_array_equal(block(x, training=True), x)
    block.path[-1].norm.scale.assign(tf.ones(32))
    assert np.abs(block(x, training=True) - x).max() > 0.1


@pytest.mark.parametrize("size", [(32, 32), (33, 64)])
def test_it_takes_any_size_from_the_smallest_on(setting: Setting, size: tuple[int, int]) -> None:
    logits = ResNet(TrainConfig(**SMALL), setting)(tf.zeros((2, *size, 3)))

    assert logits.shape == (2, 5)
    assert np.isfinite(logits).all()


def test_it_infers_what_it_saw_in_training(setting: Setting, images: np.ndarray) -> None:
    network = ResNet(TrainConfig(**SMALL), setting)
    pixels = tf.constant(images, tf.float32)

    for _ in range(100):
        in_training = network(pixels, seed=tf.constant((0, 0))).numpy()

    np.testing.assert_allclose(network(pixels), in_training, atol=0.02 * np.abs(in_training).max())
