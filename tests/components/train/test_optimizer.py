from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train import TrainConfig
from components.train.optimizer import Adam, Muon, Nesterov, Optimizer, orthogonalized
from components.train.recipes import RESNET50


class Matrices(tf.Module):
    """Stands for a network: one variable in each of two groups."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.matrix = tf.Variable(random.normal(size=(3, 3, 4, 6)).astype(np.float32))
        self.bias = tf.Variable(random.normal(size=6).astype(np.float32))

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        return {"filters": [self.matrix], "biases": [self.bias]}


@pytest.fixture
def matrix() -> tf.Variable:
    return tf.Variable(np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32))


def _gradients(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(2).normal(size=(count, 2, 3, 4)).astype(np.float32))


def test_adam_is_kerass_on_the_mean_loss(matrix: tf.Variable) -> None:
    theirs = keras.Variable(matrix.numpy())
    keras_adam = keras.optimizers.Adam(1e-2)
    rule = Adam("filters", TrainConfig(recipe="tutorial", learning_rate=1e-2), [matrix], batch_size=32)

    for gradient in _gradients(5):
        rule.apply([tf.constant(gradient * 32)], tf.constant(1.0))
        keras_adam.apply([tf.constant(gradient)], [theirs])

    np.testing.assert_allclose(matrix.numpy(), np.array(theirs), rtol=1e-4, atol=1e-6)


def test_nesterov_looks_ahead_and_decays_the_weights(matrix: tf.Variable) -> None:
    recipe = TrainConfig(recipe="small_data", momentum=0.5, bias_learning_rate=0.1, weight_decay_per_example=0.001)
    expected, velocity = matrix.numpy().astype(np.float64), np.zeros((2, 3, 4))
    rule = Nesterov("biases", recipe, [matrix], batch_size=20)

    for gradient in _gradients(3):
        rule.apply([tf.constant(gradient)], tf.constant(0.5))
        decayed = gradient + 0.001 * 20 / 0.1 * expected
        velocity = 0.5 * velocity + decayed
        expected -= 0.1 * 0.5 * (decayed + 0.5 * velocity)

    np.testing.assert_allclose(matrix.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("group", "decays"), [("filters", True), ("head", True), ("biases", False)])
def test_biases_and_scales_decay_only_where_the_recipe_says_so(group: str, decays: bool, matrix: tf.Variable) -> None:
    before = matrix.numpy()
    rule = Nesterov(group, RESNET50, [matrix], batch_size=256)

    rule.apply([tf.zeros_like(matrix)], tf.constant(1.0))

    assert (np.abs(matrix.numpy()) < np.abs(before)).all() == decays
    assert (matrix.numpy() == before).all() != decays


@pytest.mark.parametrize("shape", [(36, 8), (8, 36), (12, 12)])
def test_orthogonalized_keeps_the_directions_and_evens_the_singular_values(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(3).normal(size=shape).astype(np.float32)

    result = orthogonalized(tf.constant(matrix)).numpy()

    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    along = np.diag(left.T @ result @ right.T)
    across = left.T @ result @ right.T - np.diag(along)
    well_conditioned = values > 0.1 * values.max()
    assert np.abs(across).max() < 1e-4
    assert along[well_conditioned].min() > 0.5
    assert along.max() < 1.3


def test_muon_changes_weights_by_a_fraction_of_their_norm(matrix: tf.Variable) -> None:
    rule = Muon("filters", TrainConfig(recipe="small_data", learning_rate=0.1), [matrix], batch_size=20)
    before = matrix.numpy() * 2 / np.linalg.norm(matrix)  # sqrt(4 filters)

    rule.apply([tf.constant(_gradients(1)[0])], tf.constant(1.0))

    change = np.linalg.norm(matrix.numpy() - before) / np.linalg.norm(before)
    assert 0.05 < change < 0.15


def test_muon_takes_a_gradient_of_zero(matrix: tf.Variable) -> None:
    rule = Muon("filters", TrainConfig(recipe="small_data"), [matrix], batch_size=20)

    rule.apply([tf.zeros_like(matrix)], tf.constant(1.0))

    assert np.isfinite(matrix.numpy()).all()


def test_a_group_without_gradients_stays() -> None:
    network = Matrices()
    before = network.matrix.numpy()

    Optimizer(TrainConfig(recipe="small_data"), network, batch_size=8).apply(
        {"biases": [tf.ones(6)]}, {"biases": tf.constant(1.0)}
    )

    np.testing.assert_array_equal(network.matrix.numpy(), before)
    assert (network.bias.numpy() != Matrices().bias.numpy()).all()
