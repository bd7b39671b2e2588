"""Reads a saved `.mlpackage` (an ML program and its weights) into the graph that the executor runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coremltools as ct
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil import Operation, Var, types

from components.component import ComponentError
from components.push.executor import Graph, Reference, Step


def read_mlprogram(package: Path) -> Graph:
    """Reads the program with its weights as stored: compressed ones are decoded.

    Raises ComponentError if the program is not an image classifier with one input, or works across images.
    """
    spec = ct.utils.load_spec(str(package))
    weights = package / "Data" / "com.apple.CoreML" / "weights"
    program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=str(weights))
    operations = [
        operation
        for operation in program.functions["main"].operations
        if operation.op_type != "const" and not operation.op_type.startswith("constexpr_")
    ]
    classify = operations[-1] if operations else None
    if classify is None or classify.op_type != "classify":
        raise ComponentError(f"{package.name} does not end in a classify operation: it is no Core ML classifier.")
    image = spec.description.input[0]
    return Graph(
        steps=tuple(_step(operation) for operation in operations[:-1]),
        input=image.name,
        output=classify.inputs["probabilities"].name,
        class_names=tuple(str(name) for name in classify.inputs["classes"].val),
        height=image.type.imageType.height,
        width=image.type.imageType.width,
        blue_first=image.type.imageType.colorSpace == ct.proto.FeatureTypes_pb2.ImageFeatureType.BGR,
    )


def _step(operation: Operation) -> Step:
    if len(operation.outputs) != 1:
        raise ComponentError(
            f"The operation {operation.op_type} named {operation.name} of the converted model has "
            f"{len(operation.outputs)} outputs; the reference executor runs operations with one. Change the recipe's "
            "layers."
        )
    (output,) = operation.outputs
    if output.shape[0] != 1:
        raise ComponentError(
            f"The operation {operation.op_type} named {output.name} of the converted model gives {output.shape}; the "
            "first dimension of every tensor should be the one image."
        )
    arguments = {name: _argument(value) for name, value in operation.inputs.items() if value is not None}
    return Step(operation.op_type, output.name, arguments, float16=output.dtype is types.fp16)


def _argument(value: Var | tuple[Var, ...]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_argument(item) for item in value]
    if value.op is not None and value.op.op_type.startswith("constexpr_"):
        return value.op.materialized_val_inference()
    return Reference(value.name) if value.val is None else value.val
