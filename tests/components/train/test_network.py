from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from components.convertible import refuse_unconvertible
from components.train import TrainConfig
from components.train.classifier import Classifier
from components.train.network import Setting, WhitenedNetwork, identity_filters, whitening_filters
from components.train.optimizer import Optimizer
from components.train.resnet import ResNet
from components.train.step import TrainingStep
from components.train.tutorial import TutorialNetwork
from tests.components.train.helpers import split_statistics


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth, with channels that resemble each other, as photographs are."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (64, 8, 8, 1)) + random.integers(-30, 30, (64, 8, 8, 3))
    return tf.image.resize(np.clip(coarse, 0, 255), (32, 32)).numpy().astype(np.uint8)


@pytest.fixture(scope="module")
def setting(images: np.ndarray) -> Setting:
    statistics = split_statistics(images, np.zeros(len(images), int))
    return Setting(statistics, 32, 32, 5, np.random.default_rng(0))


def test_whitened_patches_are_uncorrelated(images: np.ndarray, setting: Setting) -> None:
    statistics = setting.statistics
    normalized = (images / 255 - statistics.channel_mean) / statistics.channel_std

    patches = tf.nn.conv2d(normalized.astype(np.float32), whitening_filters(statistics), 1, "VALID").numpy()

    covariance = np.cov(patches[..., :12].reshape(-1, 12).T)
    strong = np.diag(covariance) > 0.9  # where the eigenvalue is far above the epsilon
    assert strong.sum() >= 3
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    assert np.diag(covariance).max() < 1.01
    np.testing.assert_array_equal(patches[..., 12:], -patches[..., :12])


def test_images_of_one_colour_give_numbers() -> None:
    grey = np.full((4, 32, 32, 3), 128, np.uint8)
    setting = Setting(split_statistics(grey, np.zeros(4, int)), 32, 32, 2, np.random.default_rng(0))

    logits = WhitenedNetwork(TrainConfig(recipe="small_data", widths=(8, 8, 8)), setting)(tf.constant(grey, tf.float32))

    assert np.isfinite(logits.numpy()).all()


def test_the_first_filters_pass_their_input_on() -> None:
    filters = identity_filters(3, 5, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 3)).astype(np.float32)

    y = tf.nn.conv2d(x, filters, 1, "SAME").numpy()

    np.testing.assert_allclose(y[..., :3], x, rtol=1e-6)
    assert np.abs(filters[..., 3:]).max() <= 1 / np.sqrt(27)
    assert identity_filters(5, 3, np.random.default_rng(0)).shape == (3, 3, 5, 3)


@pytest.mark.parametrize("convolutions", [2, 3])
@pytest.mark.parametrize("size", [(9, 9), (32, 32), (24, 40)])
def test_the_whitened_network_takes_any_size(setting: Setting, convolutions: int, size: tuple[int, int]) -> None:
    network = WhitenedNetwork(
        TrainConfig(recipe="small_data", widths=(8, 8, 16), convolutions_per_block=convolutions), setting
    )

    assert network(tf.zeros((2, *size, 3))).shape == (2, 5)
    assert len(network.groups["filters"]) == 3 * convolutions


def test_the_whitened_network_infers_what_it_saw_in_training(setting: Setting, images: np.ndarray) -> None:
    network = WhitenedNetwork(TrainConfig(recipe="small_data", widths=(8, 8, 16)), setting)
    pixels = tf.constant(images, tf.float32)
    untrained = network(pixels).numpy()

    for _ in range(20):
        in_training = network(pixels, seed=tf.constant((0, 0))).numpy()

    np.testing.assert_allclose(network(pixels).numpy(), in_training, atol=0.01)
    assert np.abs(untrained - in_training).max() > 0.1


@pytest.mark.parametrize("seed", [None, (0, 0)], ids=["inference", "training"])
def test_half_precision_is_near_the_full_one_in_training_and_never_used_in_inference(
    setting: Setting, images: np.ndarray, seed: tuple[int, int] | None
) -> None:
    logits, in_half = (
        WhitenedNetwork(TrainConfig(recipe="small_data", widths=(8, 8, 16)), _in(type_, setting))(
            tf.constant(images, tf.float32), seed
        )
        for type_ in (tf.float32, tf.bfloat16)
    )

    assert in_half.dtype == tf.float32
    error = np.abs(logits - in_half).max()
    assert error == 0 if seed is None else 0 < error < 0.1 * np.abs(logits).max()


HALF_PRECISION = {
    "whitened": (WhitenedNetwork, {"recipe": "cifar96", "widths": (8, 8, 16)}),
    "resnet": (ResNet, {"recipe": "resnet50", "widths": (4, 8), "blocks_per_width": (1, 2)}),
}


@pytest.mark.parametrize("name", HALF_PRECISION)
def test_a_network_trained_in_half_precision_converts_to_core_ml(setting: Setting, name: str) -> None:
    make, values = HALF_PRECISION[name]
    network = make(TrainConfig(**values), _in(tf.bfloat16, setting))
    classifier = Classifier(network, 32, 32, tuple("abcde"), mirror_averaging=True)

    refuse_unconvertible(classifier.pixels().get_concrete_function(), 32, 32)


@pytest.mark.parametrize("name", HALF_PRECISION)
def test_a_step_in_half_precision_stays_finite(setting: Setting, images: np.ndarray, name: str) -> None:
    make, values = HALF_PRECISION[name]
    recipe = TrainConfig(**values, batch_size=16)
    network = make(recipe, _in(tf.bfloat16, setting))
    step = TrainingStep(recipe, network, Optimizer(recipe, network, 16), image_count=16, seed=0)
    before = [variable.numpy() for variable in network.trainable_variables]

    loss, _ = step(
        0, 0.1, 0.0, tf.constant(images[:16]), tf.range(16, dtype=tf.int64) % 5, tf.range(16, dtype=tf.int64)
    )

    assert np.isfinite(loss)
    assert all(np.isfinite(variable).all() for variable in network.variables)
    assert any(
        (variable.numpy() != value).any() for variable, value in zip(network.trainable_variables, before, strict=True)
    )


def _in(type_: tf.DType, setting: Setting) -> Setting:
    return replace(setting, random=np.random.default_rng(0), compute_type=type_)


def test_the_tutorials_network_is_the_tutorials(setting: Setting) -> None:
    network = TutorialNetwork(TrainConfig(recipe="tutorial"), setting)
    classes = 5
    convolutions = 3 * 3 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 128) + 32 + 64 + 128 + 128
    dense = 2 * 2 * 128 * 1024 + 1024 + 1024 * classes + classes

    assert sum(int(np.prod(variable.shape)) for variable in network.trainable_variables) == convolutions + dense


def test_the_tutorials_dropout_follows_the_seed_and_stops_in_inference(setting: Setting) -> None:
    network = TutorialNetwork(TrainConfig(recipe="tutorial"), setting)
    pixels = tf.fill((2, 32, 32, 3), 200.0)

    one, same, other = (network(pixels, seed=tf.constant((0, seed))).numpy() for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(network(pixels).numpy(), network(pixels).numpy())


@pytest.mark.parametrize("network", [TutorialNetwork, WhitenedNetwork])
def test_the_smallest_size_is_the_smallest(network: type[TutorialNetwork | WhitenedNetwork], setting: Setting) -> None:
    side = network.minimum_size_pixels
    config = (
        TrainConfig(recipe="tutorial")
        if network is TutorialNetwork
        else TrainConfig(recipe="small_data", widths=(8, 8, 8))
    )
    smallest = Setting(setting.statistics, side, side, 5, setting.random)
    smaller = Setting(setting.statistics, side - 1, side - 1, 5, setting.random)

    assert np.isfinite(network(config, smallest)(tf.zeros((1, side, side, 3)))).all()
    with pytest.raises((ValueError, tf.errors.OpError)):
        tf.debugging.assert_all_finite(network(config, smaller)(tf.zeros((1, side - 1, side - 1, 3))), "nothing left")
