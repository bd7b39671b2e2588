"""Executes a saved Core ML file on any machine: the closed set of operations that our networks convert to.

Arithmetic is float32 whatever the file computes in; weights are decoded as they are stored. So this verifies what the
file contains, not how a certain chip rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from components.component import ComponentError
from components.push.operations import OPERATIONS, to_channels_first

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
    float16: bool = False  # whether a phone holds the output in float16, or may do so


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
                f"can prove it. It runs {', '.join(sorted(OPERATIONS))}. Change the recipe's layers, or add the "
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
        if largest > LARGEST_FLOAT16:
            raise ComponentError(
                f"Within the converted model values reach {float(largest):,.0f}; float16, in which a phone holds them, "
                f"ends at {LARGEST_FLOAT16:,.0f}. Push the variant float32, or train for smaller activations."
            )
        return probabilities.numpy()

    def _run(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the probabilities, and the largest absolute value that is held in float16."""
        graph = self.graph
        largest = [tf.constant(0.0)]
        pixels = (images * graph.scale) + tf.constant(graph.bias)
        tensors = {graph.input: to_channels_first(pixels[..., ::-1] if graph.blue_first else pixels)}
        for step in graph.steps:
            arguments = {name: _value(argument, tensors) for name, argument in step.arguments.items()}
            try:
                tensors[step.output] = OPERATIONS[step.operation](**arguments)
            except (TypeError, ValueError, NotImplementedError, tf.errors.InvalidArgumentError) as error:
                raise ComponentError(
                    f"The reference executor cannot run the operation {step.operation} named {step.output} of the "
                    f"converted model: {error}."
                ) from error
            if step.float16:
                largest.append(tf.reduce_max(tf.abs(tensors[step.output])))
        return tensors[graph.output], tf.reduce_max(tf.stack(largest))


def _value(argument: Any, tensors: dict[str, tf.Tensor]) -> Any:
    if isinstance(argument, Reference):
        return tensors[argument.name]
    if isinstance(argument, (list, tuple)):
        return [_value(item, tensors) for item in argument]
    if isinstance(argument, (np.ndarray, np.generic)) and argument.dtype.kind == "f":
        return tf.constant(argument.astype(np.float32))
    return argument
