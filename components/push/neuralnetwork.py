"""Reads a saved `.mlmodel` (a neural network, for older phones) into the graph that the executor runs.

Its layers (NeuralNetwork.proto of Core ML's model specification) are translated to the operations of ML programs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np

from components.component import ComponentError
from components.push.executor import Graph, Reference, Step

Arguments = dict[str, Any]


def read_neuralnetwork(file: Path) -> Graph:
    """Reads the layers with their weights as stored, float32 or float16.

    Raises ComponentError if the file is no image classifier, or holds a layer that is not known here.
    """
    spec = ct.utils.load_spec(str(file))
    network = spec.neuralNetworkClassifier
    if not network.layers or len(spec.description.input) != 1:
        raise ComponentError(f"{file.name} is no neural network classifier with one input.")
    image = spec.description.input[0]
    scaler = network.preprocessing[0].scaler if network.preprocessing else None
    return Graph(
        steps=tuple(_step(layer) for layer in network.layers),
        input=image.name,
        output=network.labelProbabilityLayerName or spec.description.predictedProbabilitiesName,
        class_names=tuple(network.stringClassLabels.vector),
        height=image.type.imageType.height,
        width=image.type.imageType.width,
        blue_first=image.type.imageType.colorSpace == ct.proto.FeatureTypes_pb2.ImageFeatureType.BGR,
        scale=scaler.channelScale if scaler else 1.0,
        bias=(scaler.redBias, scaler.greenBias, scaler.blueBias) if scaler else (0.0, 0.0, 0.0),
    )


def _step(layer: Any) -> Step:
    kind = layer.WhichOneof("layer")
    if kind not in LAYERS:
        raise ComponentError(
            f"The converted network holds the layer {kind} named {layer.name}, which cannot be verified here. Known "
            f"are {', '.join(sorted(LAYERS))}. Leave the variant out of push.variants, or change the recipe's layers."
        )
    operation, arguments = LAYERS[kind](getattr(layer, kind), [Reference(name) for name in layer.input])
    return Step(operation, layer.output[0], arguments, float16=True)  # the phone's processor decides the precision


def _weights(weights: Any) -> np.ndarray:
    """Returns the weights as float32 (n,)."""
    if weights.float16Value:
        return np.frombuffer(weights.float16Value, np.float16).astype(np.float32)
    if weights.rawValue or weights.int8RawValue:
        raise ComponentError("The converted network holds quantized weights; float32 and float16 ones are known.")
    return np.array(weights.floatValue, np.float32)


def _convolution(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    if layer.isDeconvolution:
        raise ComponentError("The converted network holds a transposed convolution, which cannot be verified here.")
    shape = (layer.outputChannels, layer.kernelChannels, *layer.kernelSize)
    arguments = {
        "x": inputs[0],
        "weight": _weights(layer.weights).reshape(shape),
        "strides": list(layer.stride),
        "dilations": list(layer.dilationFactor),
        "groups": layer.nGroups,
        **_padding(layer, layer.WhichOneof("ConvolutionPaddingType")),
    }
    return "conv", arguments | ({"bias": _weights(layer.bias)} if layer.hasBias else {})


def _pooling(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    kinds = {layer.MAX: ("max_pool", "reduce_max"), layer.AVERAGE: ("avg_pool", "reduce_mean")}
    if layer.type not in kinds:
        raise ComponentError("The converted network holds an L2 pooling, which cannot be verified here.")
    pool, pool_all = kinds[layer.type]
    if layer.globalPooling:
        return pool_all, {"x": inputs[0], "axes": [2, 3], "keep_dims": True}
    arguments = {
        "x": inputs[0],
        "kernel_sizes": list(layer.kernelSize),
        "strides": list(layer.stride),
        **_padding(layer, layer.WhichOneof("PoolingPaddingType")),
    }
    if layer.type == layer.AVERAGE:
        arguments["exclude_padding_from_average"] = layer.avgPoolExcludePadding
    return pool, arguments


def _padding(layer: Any, kind: str) -> Arguments:
    if kind == "same" and layer.same.asymmetryMode == 0:
        return {"pad_type": "same"}
    if kind != "valid":
        raise ComponentError(f"The converted network holds the padding {kind} of a kind that cannot be verified here.")
    return {"pad_type": "custom", "pad": _borders(layer.valid.paddingAmounts)}


def _borders(amounts: Any) -> list[int]:
    """Returns the sizes of the borders: top, bottom, left, right."""
    return [size for side in amounts.borderAmounts for size in (side.startEdgeSize, side.endEdgeSize)]


def _batch_norm(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    if layer.computeMeanVar or layer.instanceNormalization:
        raise ComponentError("The converted network normalizes by the image at hand, which cannot be verified here.")
    names = ("gamma", "beta", "mean", "variance")
    return "batch_norm", {
        "x": inputs[0],
        "epsilon": layer.epsilon,
        **{name: _weights(getattr(layer, name)) for name in names},
    }


def _activation(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    kind = layer.WhichOneof("NonlinearityType")
    if kind == "linear" and layer.linear.beta == 0:
        return "mul", {"x": inputs[0], "y": layer.linear.alpha}
    names = {"ReLU": "relu", "sigmoid": "sigmoid", "tanh": "tanh"}
    if kind not in names:
        raise ComponentError(f"The converted network holds the activation {kind}; known are {', '.join(names)}.")
    return names[kind], {"x": inputs[0]}


def _unary(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    if layer.type != layer.THRESHOLD or layer.shift != 0 or layer.scale != 1:
        kind = layer.Operation.Name(layer.type)
        raise ComponentError(
            f"The converted network holds the function {kind}; known is THRESHOLD, neither scaled nor shifted."
        )
    return "threshold", {"x": inputs[0], "alpha": layer.alpha}


def _constant_padding(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    kind = layer.WhichOneof("PaddingType")
    if kind != "constant":
        raise ComponentError(f"The converted network holds a padding by {kind}; known is a constant.")
    arguments = {"x": inputs[0], "pad": _borders(layer.paddingAmounts), "constant_val": layer.constant.value}
    return "pad", arguments


def _constant_pad(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    if len(inputs) != 1 or layer.padToGivenOutputSizeMode:
        raise ComponentError(
            "The converted network holds a padding whose size is computed, which cannot be verified here."
        )
    return "pad", {"x": inputs[0], "pad": list(layer.padAmounts), "constant_val": layer.value}


def _matmul(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    if len(inputs) == 2:
        return "matmul", {
            "x": inputs[0],
            "y": inputs[1],
            "transpose_x": layer.transposeA,
            "transpose_y": layer.transposeB,
        }
    shape = (layer.weightMatrixSecondDimension, layer.weightMatrixFirstDimension)
    return _with_weights(layer, inputs, shape)


def _inner_product(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
    return _with_weights(layer, inputs, (layer.outputChannels, layer.inputChannels))


def _with_weights(layer: Any, inputs: list[Reference], shape: tuple[int, int]) -> tuple[str, Arguments]:
    arguments = {"x": inputs[0], "weight": _weights(layer.weights).reshape(shape)}
    return "linear", arguments | ({"bias": _weights(layer.bias)} if layer.hasBias else {})


def _binary(operation: str) -> Callable[[Any, list[Reference]], tuple[str, Arguments]]:
    def arguments(layer: Any, inputs: list[Reference]) -> tuple[str, Arguments]:
        x, *others = inputs
        return operation, {"x": x, "y": others[0] if others else layer.alpha}

    return arguments


def _reduction(operation: str) -> Callable[[Any, list[Reference]], tuple[str, Arguments]]:
    return lambda layer, inputs: (
        operation,
        {"x": inputs[0], "axes": list(layer.axes), "keep_dims": layer.keepDims},
    )


LAYERS: dict[str, Callable[[Any, list[Reference]], tuple[str, Arguments]]] = {
    "activation": _activation,
    "add": _binary("add"),
    "addBroadcastable": _binary("add"),
    "batchedMatmul": _matmul,
    "batchnorm": _batch_norm,
    "concat": lambda layer, inputs: ("concat", {"values": inputs, "axis": 1}),
    "concatND": lambda layer, inputs: (
        "concat",
        {"values": inputs, "axis": layer.axis, "interleave": layer.interleave},
    ),
    "constantPad": _constant_pad,
    "convolution": _convolution,
    "divideBroadcastable": _binary("real_div"),
    "expandDims": lambda layer, inputs: ("expand_dims", {"x": inputs[0], "axes": list(layer.axes)}),
    "gelu": lambda layer, inputs: ("gelu", {"x": inputs[0], "mode": layer.GeluMode.Name(layer.mode)}),
    "innerProduct": _inner_product,
    "loadConstantND": lambda layer, inputs: ("const", {"val": _weights(layer.data).reshape(tuple(layer.shape))}),
    "multiply": _binary("mul"),
    "multiplyBroadcastable": _binary("mul"),
    "padding": _constant_padding,
    "pooling": _pooling,
    "rankPreservingReshape": lambda layer, inputs: ("reshape", {"x": inputs[0], "shape": list(layer.targetShape)}),
    "reduceMax": _reduction("reduce_max"),
    "reduceMean": _reduction("reduce_mean"),
    "reshapeStatic": lambda layer, inputs: ("reshape", {"x": inputs[0], "shape": list(layer.targetShape)}),
    "reverse": lambda layer, inputs: ("reverse", {"x": inputs[0], "axes": list(np.flatnonzero(layer.reverseDim))}),
    "softmaxND": lambda layer, inputs: ("softmax", {"x": inputs[0], "axis": layer.axis}),
    "squeeze": lambda layer, inputs: ("squeeze", {"x": inputs[0], "axes": list(layer.axes)}),
    "subtractBroadcastable": _binary("sub"),
    "transpose": lambda layer, inputs: ("transpose", {"x": inputs[0], "perm": list(layer.axes)}),
    "unary": _unary,
}
