"""Every operation, against TensorFlow: a network of it is converted, saved, read back and executed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import tensorflow as tf

from components.component import ComponentError
from components.convertible import VERIFIABLE_OPERATIONS, convert
from components.push.executor import Executor, Graph, Reference, Step
from components.push.mlprogram import read_mlprogram
from components.push.neuralnetwork import read_neuralnetwork
from components.push.operations import CHOOSING_OPERATIONS, OPERATIONS

RANDOM = np.random.default_rng(0)
HEIGHT, WIDTH = 9, 12
IMAGES = RANDOM.integers(0, 256, (5, HEIGHT, WIDTH, 3), dtype=np.uint8)
FILTERS = tf.constant(RANDOM.normal(0, 0.3, (3, 3, 3, 6)), tf.float32)
CHANNELS = tf.constant(RANDOM.normal(0, 1, 3), tf.float32)
MATRIX = tf.constant(RANDOM.normal(0, 1, (3, 4)), tf.float32)

# Layers by the hundred would take minutes to convert: those of a kind make one network. Each takes float32 images
# (n, 9, 12, 3), 0-1; what it gives is flattened.
LAYERS: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], ...]] = {
    "convolution": (
        lambda x: tf.nn.conv2d(x, FILTERS, 1, "SAME"),
        lambda x: tf.nn.conv2d(x, FILTERS, (2, 3), "VALID"),
        lambda x: tf.nn.conv2d(x, FILTERS, 2, "SAME"),
        lambda x: tf.nn.conv2d(x, FILTERS, 1, "SAME", dilations=2),
        lambda x: tf.nn.conv2d(x, FILTERS, 1, "VALID") + tf.range(6.0),
        lambda x: tf.nn.depthwise_conv2d(x, FILTERS[..., :2], (1, 1, 1, 1), "SAME"),
        lambda x: tf.nn.depthwise_conv2d(x, FILTERS[..., :1], (1, 2, 2, 1), "VALID") + CHANNELS,
    ),
    "pooling": (
        lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
        lambda x: tf.nn.max_pool2d(x - 1, 3, 2, "SAME"),
        lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"),
        lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
    ),
    "activation": (
        lambda x: tf.nn.gelu(_signed(x), approximate=True),
        lambda x: _exact_gelu(_signed(x)),
        lambda x: tf.nn.relu(_signed(x)),
        lambda x: tf.nn.silu(_signed(x)),
        lambda x: tf.sigmoid(_signed(x)),
        lambda x: tf.tanh(_signed(x)),
        lambda x: tf.nn.softmax(_signed(x), 1),
        lambda x: tf.nn.softmax(_signed(x)),
    ),
    "reduction": (
        lambda x: tf.reduce_max(x, (1, 2)),
        lambda x: tf.reduce_mean(x, (1, 2)),
        lambda x: x - tf.reduce_mean(x, (1, 2), keepdims=True),
        lambda x: tf.reduce_max(x, 2),
    ),
    "arithmetic": (
        lambda x: x / (x + 1),
        lambda x: 3.0 - x * CHANNELS,
        lambda x: tf.nn.batch_normalization(x, CHANNELS, CHANNELS**2, CHANNELS + 1, CHANNELS - 1, 1e-3),
    ),
    "shape": (
        lambda x: tf.reverse(x, [2]) * x,
        lambda x: tf.concat([x, x * 2], -1),
        lambda x: tf.transpose(x, (0, 2, 3, 1)),
        lambda x: tf.squeeze(tf.reduce_max(tf.expand_dims(x, 3), 2, keepdims=True), (2, 3)),
    ),
    "mobile": (
        lambda x: tf.nn.relu6(_signed(x) * 4),
        lambda x: tf.pad(x, ((0, 0), (0, 1), (2, 0), (0, 0))) * CHANNELS,
    ),
    "matrix": (
        lambda x: tf.matmul(tf.reduce_mean(x, (1, 2)), MATRIX),
        lambda x: tf.matmul(tf.reduce_mean(x, (1, 2)), MATRIX) + tf.range(4.0),
    ),
}


@pytest.mark.parametrize("kind", ["mlprogram", "neuralnetwork"])
@pytest.mark.parametrize("layers", LAYERS)
def test_executes_as_tensorflow_does(layers: str, kind: str, tmp_path: Path) -> None:
    network = _network(LAYERS[layers])
    expected = network(image=tf.constant(IMAGES, tf.float32))["probabilities"]
    names = ct.ClassifierConfig([f"class {index}" for index in range(expected.shape[1])])
    options = {"compute_precision": ct.precision.FLOAT32} if kind == "mlprogram" else {}
    model = convert(network, HEIGHT, WIDTH, convert_to=kind, classifier_config=names, **options)
    file = tmp_path / ("model.mlpackage" if kind == "mlprogram" else "model.mlmodel")
    model.save(str(file))
    graph = read_mlprogram(file) if kind == "mlprogram" else read_neuralnetwork(file)
    assert graph.class_names[-1] == f"class {expected.shape[1] - 1}"
    exact = tuple(dataclasses.replace(step, float16=False) for step in graph.steps)  # a phone may round the old kind
    graph = dataclasses.replace(graph, steps=exact)
    np.testing.assert_allclose(Executor(graph)(IMAGES), expected, rtol=2e-5, atol=2e-6)


def test_what_can_be_executed_is_what_training_may_use() -> None:
    assert set(OPERATIONS) == VERIFIABLE_OPERATIONS


def test_unknown_operation_is_refused_by_name() -> None:
    with pytest.raises(Exception, match=r"holds einsum, which the reference executor cannot run.*conv"):
        Executor(_graph(Step("einsum", "y", {})))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Step("reduce_mean", "y", {"x": np.zeros((1, 3)), "axes": [0]}), "across images"),
        (Step("softmax", "y", {"x": np.zeros((1, 3)), "axis": -2}), "across images"),
        (Step("transpose", "y", {"x": np.zeros((1, 3)), "perm": [1, 0]}), "moves the batch dimension"),
        (Step("reshape", "y", {"x": np.zeros((1, 6)), "shape": [2, 3]}), r"reshape to \[2, 3\]"),
        (Step("reshape", "y", {"x": np.zeros((1, 6)), "shape": [-1, 3]}), r"reshape to \[-1, 3\]"),
        (Step("cast", "y", {"x": np.zeros((1, 3)), "dtype": "int32"}), "cast to int32"),
        (Step("gelu", "y", {"x": np.zeros((1, 3)), "mode": "SIGMOID_APPROXIMATION"}), "SIGMOID_APPROXIMATION"),
        (Step("relu", "y", {"x": np.zeros((1, 3)), "ceiling": 6.0}), "unexpected keyword argument 'ceiling'"),
    ],
)
def test_what_would_be_wrong_is_refused(step: Step, message: str) -> None:
    with pytest.raises(Exception, match=rf"cannot run the operation {step.operation} named y .*{message}"):
        Executor(_graph(step))(IMAGES)


def test_operation_with_several_outputs_is_refused_by_name(tmp_path: Path) -> None:
    names = ct.ClassifierConfig([f"class {index}" for index in range(HEIGHT * WIDTH * 3)])
    network = _network((lambda x: tf.concat(tf.split(x, 3, -1)[::-1], -1),))
    convert(network, HEIGHT, WIDTH, convert_to="mlprogram", classifier_config=names).save(str(tmp_path / "m.mlpackage"))
    with pytest.raises(ComponentError, match=r"operation split named \S+ of the converted model has 3 outputs"):
        read_mlprogram(tmp_path / "m.mlpackage")


def test_value_beyond_float16_is_refused() -> None:
    step = Step("mul", "y", {"x": np.full((1, 3), 1000.0), "y": 70.0}, float16=True)
    further = Step("sub", "z", {"x": Reference("y"), "y": Reference("y")}, float16=True)
    with pytest.raises(Exception, match=r"in mul named y, values reach 70,000; float16.* ends at 65,504"):
        Executor(_graph(step, further))(IMAGES)


@pytest.mark.parametrize("float16", [True, False])
def test_each_output_in_float16_is_rounded(float16: bool) -> None:
    """At 30,000 neighbors in float16 are 16 apart; in float32 what was added can be taken away again."""
    added = Step("add", "sum", {"x": Reference("image"), "y": 30_000.0}, float16=float16)
    executor = Executor(_graph(added, Step("sub", "y", {"x": Reference("sum"), "y": 30_000.0}, float16=float16)))
    expected = (IMAGES.astype(np.float16) + np.float16(30_000)) - np.float16(30_000) if float16 else IMAGES
    np.testing.assert_array_equal(executor(IMAGES), np.transpose(expected, (0, 3, 1, 2)))


def test_constants_of_a_step_in_float16_are_rounded() -> None:
    graph = _graph(Step("mul", "y", {"x": Reference("image"), "y": np.float32(0.1)}, float16=True))
    expected = np.float16(IMAGES * np.float32(np.float16(0.1)))
    np.testing.assert_array_equal(Executor(graph)(IMAGES), np.transpose(expected, (0, 3, 1, 2)))


CHOOSING: dict[str, dict[str, Any]] = {
    "concat": {"axis": 1},
    "expand_dims": {"axes": [1]},
    "max_pool": {"kernel_sizes": [2, 2], "pad_type": "same"},
    "reduce_max": {"axes": [2, 3]},
    "relu": {},
    "relu6": {},
    "reshape": {"shape": [1, -1]},
    "reverse": {"axes": [2]},
    "squeeze": {"axes": [1]},
    "transpose": {"perm": [0, 2, 3, 1]},
}


@pytest.mark.parametrize("operation", sorted(CHOOSING_OPERATIONS))
def test_operations_that_choose_give_values_of_float16(operation: str) -> None:
    values = tf.constant(RANDOM.normal(0, 5, (4, 1, 6, 8)).astype(np.float16).astype(np.float32))
    x = {"values": [values, values]} if operation == "concat" else {"x": values}
    output = OPERATIONS[operation](**x, **CHOOSING[operation]).numpy()
    np.testing.assert_array_equal(output, output.astype(np.float16))


def _exact_gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1 + tf.math.erf(x / 2**0.5))  # in this form coremltools 9.0 knows it


def _signed(x: tf.Tensor) -> tf.Tensor:
    return x * 4 - 2


def _network(layers: tuple[Callable[[tf.Tensor], tf.Tensor], ...]) -> tf.types.experimental.ConcreteFunction:
    @tf.function(input_signature=[tf.TensorSpec((None, HEIGHT, WIDTH, 3), tf.float32, "image")])
    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = [layer(image / 255) for layer in layers]
        flat = [tf.reshape(output, (-1, int(np.prod(output.shape[1:])))) for output in outputs]
        return {"probabilities": tf.concat(flat, -1)}

    return network.get_concrete_function()


def _graph(*steps: Step) -> Graph:
    return Graph(steps, input="image", output=steps[-1].output, class_names=(), height=HEIGHT, width=WIDTH)
