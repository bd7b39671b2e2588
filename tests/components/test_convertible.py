"""Networks that Core ML cannot take are refused before they are trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tensorflow as tf

from components.component import ComponentError
from components.convertible import refuse_unconvertible

SHAPE = (None, 8, 6, 3)


def test_trained_and_untrained_networks_pass() -> None:
    refuse_unconvertible(_network(lambda x: tf.nn.gelu(tf.nn.max_pool2d(x, 2, 2, "SAME"), approximate=True)), 8, 6)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (tf.nn.gelu, "'Erfc' not implemented"),
        (
            lambda x: tf.reshape(tf.numpy_function(lambda y: y, [x], tf.float32), (-1, 8, 6, 3)),
            "'PyFunc' not implemented",
        ),
        (lambda x: tf.cumsum(x, 1), "operations that nothing here can verify: cumsum. Use layers .*conv"),
    ],
)
def test_layer_is_refused_by_name(layer: Callable[[tf.Tensor], tf.Tensor], message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        refuse_unconvertible(_network(layer), 8, 6)


def test_several_outputs_are_refused() -> None:
    @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32, "image")])
    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": image[:, 0, 0], "features": image}

    with pytest.raises(
        ComponentError, match=r"gives probabilities, features; a classifier .* gives one tensor, `probabil"
    ):
        refuse_unconvertible(network.get_concrete_function(), 8, 6)


def test_conversion_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    refuse_unconvertible(_network(tf.nn.relu), 8, 6)
    output = capfd.readouterr()
    assert "passes/s" not in output.out + output.err


def _network(layer: Callable[[tf.Tensor], tf.Tensor]) -> tf.types.experimental.ConcreteFunction:
    @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32, "image")])
    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(tf.reduce_mean(layer(image), (1, 2)))}

    return network.get_concrete_function()
