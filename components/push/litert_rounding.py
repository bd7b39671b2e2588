"""Rounds the weights of a LiteRT file of integers so that each layer's output changes least on images.

The converter rounds every weight to the nearest integer. But what a filter sees is alike, neighboring pixels above all,
and its mean is not zero: errors add up. Here the weights that come later in a filter make up for the errors of earlier
ones (Frantar et al. 2022, "GPTQ", arXiv 2210.17323, section 3), and the bias for what is left on average (Nagel et al.
2019, arXiv 1906.04721, section 4.2). The file keeps its size, its scales and its speed.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

CONVOLUTION = schema.BuiltinOperator.CONV_2D
DEPTHWISE = schema.BuiltinOperator.DEPTHWISE_CONV_2D
DENSE = schema.BuiltinOperator.FULLY_CONNECTED
IMAGES = 16
MOST_INPUTS = 256  # of a filter that is rounded anew; larger ones take long, and their errors average out more
DAMPING = 0.01  # times the mean variance, as in GPTQ
FLOAT32_ERROR = 1e-5  # of sums of products, as a fraction
LARGEST_ERROR_STEPS = 0.51  # rounding to the nearest makes up to 0.5, and float32 a little more
LARGEST_INTEGER = 127
SMALLEST_VARIANCE = 1e-12


class Layer(NamedTuple):
    """A layer with weights: the numbers of its tensors and of their buffers, and how its filters move."""

    operation: int
    input: int
    weights: int
    bias: int
    weights_buffer: int
    bias_buffer: int
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    padding: str = "VALID"
    multiplier: int = 1  # filters for each channel of a depthwise convolution

    def filters(self, weights: np.ndarray) -> np.ndarray:
        """Returns weights as (groups, filters of a group, inputs of a filter); depthwise, each channel is a group."""
        if self.operation == DEPTHWISE:
            return weights.reshape(weights.shape[1] * weights.shape[2], -1, self.multiplier).transpose(1, 2, 0)
        return weights.reshape(1, len(weights), -1)

    def stored(self, filters: np.ndarray) -> np.ndarray:
        """Returns filters as one row, in the order of the file."""
        return (filters.transpose(2, 0, 1) if self.operation == DEPTHWISE else filters).ravel()

    def seen(self, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns what filters see of inputs (1, ..., channels), as (groups, positions, inputs of a filter)."""
        if self.operation == DENSE:
            return inputs.reshape(1, -1, inputs.shape[-1])
        sizes, strides, dilations = ((1, *pair, 1) for pair in (weights.shape[1:3], self.strides, self.dilations))
        patches = tf.image.extract_patches(inputs, sizes, strides, dilations, self.padding).numpy()
        if self.operation == DEPTHWISE:
            seen = patches.reshape(-1, weights.shape[1] * weights.shape[2], inputs.shape[-1]).transpose(2, 0, 1)
            return np.ascontiguousarray(seen)  # else products take longer
        return patches.reshape(1, -1, patches.shape[-1])


@dataclass
class Sums:
    """Sums over what filters have seen, float64 (groups, inputs), and over its products, for filters of few inputs."""

    positions: int = 0
    seen: Any = 0.0
    products: Any = 0.0

    def add(self, seen: np.ndarray) -> None:
        """Adds what was seen, (groups, positions, inputs)."""
        self.positions += seen.shape[1]
        self.seen = self.seen + seen.sum(1, dtype=np.float64)
        if seen.shape[-1] <= MOST_INPUTS:
            self.products = self.products + seen.transpose(0, 2, 1) @ seen

    @property
    def mean(self) -> np.ndarray:
        """The mean, float64 (groups, inputs)."""
        return np.asarray(self.seen / self.positions)

    @property
    def covariance(self) -> np.ndarray:
        """The covariance, float64 (groups, inputs, inputs).

        Its diagonal is a little larger, so that it has an inverse where inputs are always the same.
        """
        products, inputs = self.products / self.positions, self.products.shape[-1]
        covariance = products - self.mean[:, :, None] * self.mean[:, None, :]
        variance, power = (np.trace(each, axis1=1, axis2=2)[:, None, None] / inputs for each in (covariance, products))
        more = DAMPING * variance + FLOAT32_ERROR * power + SMALLEST_VARIANCE
        return np.asarray(covariance + more * np.eye(inputs))


def round_weights(integers: bytes, floats: bytes, images: np.ndarray) -> bytes:
    """Returns the file of integers with other weights and biases; no byte of it moves.

    Both files hold the same network. Its layers see what they see in `floats` for some of the images, uint8 (n, height,
    width, 3). A layer stays as it is if the other file has none of its name and weights.
    """
    rounded = bytearray(integers)
    network = schema.Model.GetRootAs(rounded)
    uses = _uses(network)
    exact_file, exact_layers = _interpreter(floats), _layers(schema.Model.GetRootAs(floats))
    layers = {name: layer for name, layer in _layers(network).items() if name in exact_layers}
    weights = {name: exact_file.get_tensor(exact_layers[name].weights) for name in layers}
    # A network that looks at an image and at its mirror image has its layers twice, and their weights once.
    twins = defaultdict[int, list[str]](list)
    for name, layer in layers.items():
        twins[layer.weights_buffer].append(name)
    sums = _look(exact_file, exact_layers, layers, weights, images[:: max(1, len(images) // IMAGES)])
    for buffer, names in twins.items():
        biases = {layers[name].bias_buffer: layers[name] for name in names}
        if uses[buffer] == len(names) == sum(uses[each] for each in biases):
            shift = _round_layer(network, layers[names[0]], weights[names[0]], sums[buffer])
            for each, layer in biases.items():
                _shift_bias(network, each, layer.bias, shift)
    return bytes(rounded)


def _round_layer(network: Any, layer: Layer, weights: np.ndarray, sums: Sums) -> np.ndarray | float:
    """Rounds a layer's weights. Returns what that adds to its mean output, (channels,), or 0 for other weights."""
    tensor = network.Subgraphs(0).Tensors(layer.weights)
    stored = network.Buffers(layer.weights_buffer).DataAsNumpy().view(np.int8)
    filters, nearest = layer.filters(weights).astype(np.float64), layer.filters(stored.reshape(tensor.ShapeAsNumpy()))
    if nearest.shape != filters.shape:
        return 0.0
    scales = tensor.Quantization().ScaleAsNumpy().astype(np.float64)
    steps = np.broadcast_to(scales, filters.shape[0] * filters.shape[1]).reshape(*filters.shape[:2], 1)
    if (np.abs(nearest - filters / steps) > LARGEST_ERROR_STEPS).any():
        return 0.0
    best = nearest
    if filters.shape[-1] <= MOST_INPUTS:
        best = _rounded(filters / steps, nearest, sums.covariance)
        stored[:] = layer.stored(best)
    return np.asarray(((best * steps - filters) * sums.mean[:, None]).sum(-1).ravel())


def _rounded(filters: np.ndarray, nearest: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Returns filters (groups, filters, inputs), in steps, as integers, or `nearest` where those do no better."""
    factor = np.linalg.cholesky(np.linalg.inv(covariance)).swapaxes(1, 2)
    left, integers = filters.copy(), np.empty_like(filters)
    for index in range(filters.shape[-1]):
        integers[..., index] = np.clip(np.rint(left[..., index]), -LARGEST_INTEGER, LARGEST_INTEGER)
        error = (left[..., index] - integers[..., index])[..., None]
        left[..., index:] -= error * (factor[:, index, index:] / factor[:, index, index, None])[:, None]

    def cost(chosen: np.ndarray) -> np.ndarray:
        errors = chosen - filters
        return np.asarray((errors @ covariance * errors).sum(-1, keepdims=True))

    return np.where(cost(integers) < cost(nearest), integers, nearest).astype(np.int8)


def _shift_bias(network: Any, buffer: int, bias: int, shift: np.ndarray | float) -> None:
    scales = network.Subgraphs(0).Tensors(bias).Quantization().ScaleAsNumpy()
    stored = network.Buffers(buffer).DataAsNumpy().view(np.int32)
    stored -= np.rint(shift / scales).astype(np.int32)


def _look(
    exact_file: Any,
    exact_layers: Mapping[str, Layer],
    layers: Mapping[str, Layer],
    weights: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> dict[int, Sums]:
    """Returns the sums over what the filters of each buffer of weights see of the images."""
    image = exact_file.get_input_details()[0]["index"]
    sums = defaultdict[int, Sums](Sums)
    for pixels in images:
        exact_file.set_tensor(image, pixels[np.newaxis].astype(np.float32))
        exact_file.invoke()
        for name, layer in layers.items():
            inputs = exact_file.get_tensor(exact_layers[name].input)
            sums[layer.weights_buffer].add(layer.seen(inputs, weights[name]))
    return sums


def _uses(network: Any) -> Counter[int]:
    """Returns how often operations take each buffer."""
    graph = network.Subgraphs(0)
    operators = map(graph.Operators, range(graph.OperatorsLength()))
    taken = (int(tensor) for operator in operators for tensor in operator.InputsAsNumpy() if tensor >= 0)
    return Counter(graph.Tensors(tensor).Buffer() for tensor in taken)


def _layers(network: Any) -> dict[str, Layer]:
    """Returns the layers that have weights and a bias, by the names of their outputs."""
    graph = network.Subgraphs(0)
    layers = {}
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        operation = network.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        numbers = operator.InputsAsNumpy().tolist()
        if operation not in (CONVOLUTION, DEPTHWISE, DENSE) or len(numbers) != 3 or numbers[2] < 0:
            continue
        taken, weights, bias = numbers
        shapes = [graph.Tensors(number).ShapeAsNumpy() for number in (taken, weights)]
        if operation == DEPTHWISE or shapes[0][-1] == shapes[1][-1]:  # else its channels are grouped
            name = graph.Tensors(operator.Outputs(0)).Name().decode()
            buffers = [graph.Tensors(number).Buffer() for number in (weights, bias)]
            moves = {} if operation == DENSE else _moves(operation, operator)
            layers[name] = Layer(operation, taken, weights, bias, *buffers, **moves)
    return layers


def _moves(operation: int, operator: Any) -> dict[str, Any]:
    """Returns how the filters of a convolution move."""
    options = schema.Conv2DOptions() if operation == CONVOLUTION else schema.DepthwiseConv2DOptions()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return {
        "strides": (options.StrideH(), options.StrideW()),
        "dilations": (options.DilationHFactor(), options.DilationWFactor()),
        "padding": "SAME" if options.Padding() == schema.Padding.SAME else "VALID",
        "multiplier": options.DepthMultiplier() if operation == DEPTHWISE else 1,
    }


def _interpreter(model: bytes) -> Any:
    """Returns LiteRT's interpreter, which keeps what each layer gives, and joins no layers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at every start it recommends its successor, another package
        interpreter = tf.lite.Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    return interpreter
