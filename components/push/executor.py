"""Executes a saved Core ML file on any machine: the closed set of operations that our networks convert to.

What a phone holds in float16 is rounded to float16 here too: the output of each such operation, and its constants.
Within one operation the arithmetic is float32, since phones also add up in more bits than they store. So this verifies
what the file says, not in which order a certain chip adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from components.component import ComponentError
from components.push.operations import CHOOSING_OPERATIONS, OPERATIONS, to_channels_first

LARGEST_FLOAT16 = 65504.0


@dataclass(frozen=True)
class Reference:
    """An argument that is the output of an earlier step."""

    name: str


@dataclass(frozen=True)
class Step:
    """One operation. Arguments are References, or constants: arrays, numbers, strings, or lists of them."""

    operation: str
    output: str
    arguments: dict[str, Any]
    float16: bool = False  # whether a phone holds the output and the constants in float16, or may do so


@dataclass(frozen=True)
class Graph:
    """A saved classifier as it was read from disk.

    Its input is one image as Core ML's image inputs are: (1, 3, height, width), 0-255, after `scale` and `bias`.
    """

    steps: tuple[Step, ...]
    input: str
    output: str  # the probabilities, (1, classes)
    class_names: tuple[str, ...]  # in the order of the probabilities
    height: int
    width: int
    blue_first: bool = False  # whether the input's color space is BGR
    scale: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Executor:
    """A graph that is ready to run."""

    def __init__(self, graph: Graph) -> None:
        """Compiles the graph. Raises ComponentError if it holds an operation that is not known here."""
        unknown = sorted({step.operation for step in graph.steps} - OPERATIONS.keys())
        if unknown:
            raise ComponentError(
                f"The converted model holds {', '.join(unknown)}, which the reference executor cannot run, so nothing "
                f"can verify it. It runs {', '.join(sorted(OPERATIONS))}. Change the recipe's layers, or add the "
                "operation to components/push/operations.py."
            )
        self.graph = graph
        image_batch = tf.TensorSpec((None, graph.height, graph.width, 3), tf.float32)
        self._compiled = tf.function(self._run, input_signature=[image_batch], autograph=False)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Predicts uint8 (n, height, width, 3), RGB -> probabilities float32 (n, classes).

        Raises ComponentError if a value that is held in float16 does not fit: a phone would continue with infinity.
        """
        probabilities, largest = self._compiled(images.astype(np.float32))
        for step, value in zip(self.graph.steps, largest.numpy(), strict=True):
            if value > LARGEST_FLOAT16:
                raise ComponentError(
                    f"Within the converted model, in {step.operation} named {step.output}, values reach {value:,.0f}; "
                    f"float16, in which a phone holds them, ends at {LARGEST_FLOAT16:,.0f}. Push the variant float32, "
                    "or train for smaller activations."
                )
        return probabilities.numpy()

    def _run(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the probabilities, and by step the largest absolute value before it is rounded; 0 if it is not."""
        graph = self.graph
        largest = []
        pixels = (images * graph.scale) + tf.constant(graph.bias)
        tensors = {graph.input: to_channels_first(pixels[..., ::-1] if graph.blue_first else pixels)}
        for step in graph.steps:
            output = _execute(step, tensors)
            rounds = step.float16 and step.operation not in CHOOSING_OPERATIONS
            largest.append(_largest(output) if rounds else tf.constant(0.0))
            tensors[step.output] = _rounded(output) if rounds else output
        return tensors[graph.output], tf.stack(largest)


def _execute(step: Step, tensors: dict[str, tf.Tensor]) -> tf.Tensor:
    """Returns the output of one operation, in float32."""
    arguments = {name: _value(argument, tensors, step.float16) for name, argument in step.arguments.items()}
    try:
        return OPERATIONS[step.operation](**arguments)
    except (TypeError, ValueError, NotImplementedError, tf.errors.InvalidArgumentError) as error:
        raise ComponentError(
            f"The reference executor cannot run the operation {step.operation} named {step.output} of the "
            f"converted model: {error}."
        ) from error


def _largest(values: tf.Tensor) -> tf.Tensor:
    """Returns the largest absolute value. Two reductions take less time than one of the absolute values."""
    return tf.maximum(tf.reduce_max(values), -tf.reduce_min(values))


def _rounded(values: tf.Tensor) -> tf.Tensor:
    """Returns float32 values as float16 holds them: the nearest one, or infinity beyond its range."""
    return tf.cast(tf.cast(values, tf.float16), tf.float32)


def _value(argument: Any, tensors: dict[str, tf.Tensor], float16: bool) -> Any:
    if isinstance(argument, Reference):
        return tensors[argument.name]
    if isinstance(argument, (list, tuple)):
        return [_value(item, tensors, float16) for item in argument]
    if isinstance(argument, (np.ndarray, np.generic)) and argument.dtype.kind == "f":
        constant = tf.constant(argument.astype(np.float32))
        return _rounded(constant) if float16 else constant
    return argument
