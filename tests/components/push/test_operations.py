"""Every operation, against TensorFlow: a network of it is converted, saved, read back and executed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import tensorflow as tf

from components.component import ComponentError
from components.convertible import VERIFIABLE_OPERATIONS, convert
from components.push.executor import Executor, Graph, Step
from components.push.mlprogram import read_mlprogram
from components.push.neuralnetwork import read_neuralnetwork
from components.push.operations import OPERATIONS

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
    with pytest.raises(Exception, match=r"values reach 70,000; float16.* ends at 65,504"):
        Executor(_graph(step))(IMAGES)


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


def _graph(step: Step) -> Graph:
    return Graph((step,), input="image", output=step.output, class_names=(), height=HEIGHT, width=WIDTH)
