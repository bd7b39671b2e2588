"""Whatever the order of dimensions in which an operation runs, its result is the one that Core ML's order defines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.push.channel_order import Value, execute

RANDOM = np.random.default_rng(0)
IMAGES = tf.constant(RANDOM.normal(0, 1, (2, 4, 5, 6)), tf.float32)  # (n, C, H, W)
FILTERS = RANDOM.normal(0, 1, (4, 4, 3, 3)).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (4, 1, 1), (1, 4, 1, 1), (6,), (5, 6), (1, 1, 5, 1)])
def test_a_constant_meets_the_same_numbers(shape: tuple[int, ...]) -> None:
    constant = tf.constant(RANDOM.normal(0, 1, shape), tf.float32)
    found = execute("mul", {"x": Value.of(IMAGES), "y": constant})
    np.testing.assert_array_equal(found.ordered, IMAGES * constant)
    np.testing.assert_array_equal(found.channels_last, tf.transpose(IMAGES * constant, (0, 2, 3, 1)))


@pytest.mark.parametrize("shape", [(2, 4, 5, 6), (2, 4, 1, 1), (6,)])
def test_two_outputs_meet_the_same_numbers(shape: tuple[int, ...]) -> None:
    other = tf.constant(RANDOM.normal(0, 1, shape), tf.float32)
    found = execute("add", {"x": Value.of(IMAGES), "y": Value.of(other)})
    np.testing.assert_array_equal(found.ordered, IMAGES + other)


def test_what_counts_axes_counts_them_as_core_ml_does() -> None:
    images = Value.of_channels_last(tf.transpose(IMAGES, (0, 2, 3, 1)))
    joined = execute("concat", {"values": [images, images], "axis": 1})
    np.testing.assert_array_equal(joined.ordered, tf.concat([IMAGES, IMAGES], 1))
    np.testing.assert_array_equal(
        execute("reduce_max", {"x": images, "axes": [2]}).ordered, tf.reduce_max(IMAGES, axis=2)
    )


def test_channels_are_normalized_in_any_number_of_dimensions() -> None:
    numbers = {name: RANDOM.uniform(0.5, 2, 4).astype(np.float32) for name in ("mean", "variance", "gamma", "beta")}
    rows = tf.constant(RANDOM.normal(0, 1, (2, 4)), tf.float32)
    expected = tf.nn.batch_normalization(
        rows, numbers["mean"], numbers["variance"], numbers["beta"], numbers["gamma"], 1e-5
    )
    flat = execute("batch_norm", {"x": Value.of(rows), **numbers})
    image = execute("batch_norm", {"x": Value.of(rows[:, :, None, None]), **numbers})
    np.testing.assert_allclose(flat.ordered, expected, rtol=1e-6)
    np.testing.assert_allclose(image.ordered[:, :, 0, 0], expected, rtol=1e-6)


def test_channels_stay_last_from_one_convolution_to_the_next() -> None:
    def network(images: tf.Tensor) -> tf.Tensor:
        value = Value.of_channels_last(images)
        for _ in range(3):
            value = execute("conv", {"x": value, "weight": FILTERS, "pad_type": "same"})
            value = execute("relu", {"x": value.map(tf.abs)})
        return execute("reduce_mean", {"x": value, "axes": [2, 3]}).ordered

    function = tf.function(network, input_signature=[tf.TensorSpec((None, 5, 6, 4))], autograph=False)
    graph = function.get_concrete_function().graph
    assert len(_moves_of_images(graph)) == 1  # before the mean


def _moves_of_images(graph: Any) -> list[str]:
    """The transpositions of images that the result needs."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [graph.outputs[0].op.name]).node
    moves = [node.name for node in needed if node.op == "Transpose"]
    return [name for name in moves if graph.get_operation_by_name(name).inputs[0].shape[0] is None]
