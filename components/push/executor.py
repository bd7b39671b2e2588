"""Executes a saved Core ML file on any machine: the closed set of operations that our networks convert to.

What a phone holds in float16 is rounded to float16 here too: the output of each such operation, and its constants.
Within one operation the arithmetic is float32, since phones also add up in more bits than they store. So this verifies
what the file says, not in which order a certain chip adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from components.component import ComponentError
from components.push.batches import batches
from components.push.channel_order import Value, execute
from components.push.integers import INTEGER_OPERATIONS
from components.push.operations import CHOOSING_OPERATIONS, OPERATIONS

LARGEST_FLOAT16 = 65504.0


@dataclass(frozen=True)
class Reference:
    """An argument that is the output of an earlier step."""

    name: str


@dataclass(frozen=True)
class Step:
    """One operation. Arguments are References, constants (arrays, numbers, strings, or lists), or tf.Variables."""

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
        unknown = sorted({step.operation for step in graph.steps} - OPERATIONS.keys() - INTEGER_OPERATIONS.keys())
        if unknown:
            raise ComponentError(
                f"The converted model holds {', '.join(unknown)}, which the reference executor cannot run, so nothing "
                f"can verify it. It runs {', '.join(sorted(OPERATIONS))}. Change the recipe's layers, or add the "
                "operation to components/push/operations.py."
            )
        self.graph = graph
        images = tf.TensorSpec((None, graph.height, graph.width, 3), tf.float32)
        self._compiled = tf.function(lambda pixels: self._run(pixels, _total), [images], autograph=False)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Predicts uint8 (n, height, width, 3), RGB -> probabilities float32 (n, classes).

        Raises ComponentError if a value that is held in float16 does not fit: a phone would continue with infinity.
        """
        pixels = tf.constant(images.astype(np.float32))
        probabilities, totals = self._compiled(pixels)
        if not np.isfinite(totals).all():
            self._refuse_overflow(pixels)
        return probabilities.numpy()

    def _refuse_overflow(self, pixels: tf.Tensor) -> None:
        """Raises ComponentError that names the first step whose values do not fit, if there is one."""
        _, largest = tf.function(self._run, autograph=False)(pixels, _largest)
        for step, value in zip(self.graph.steps, largest.numpy(), strict=True):
            if value > LARGEST_FLOAT16:
                raise ComponentError(
                    f"Within the converted model, in {step.operation} named {step.output}, values reach {value:,.0f}; "
                    f"float16, in which a phone holds them, ends at {LARGEST_FLOAT16:,.0f}. Push the variant float32, "
                    "or train for smaller activations."
                )

    def ranges(self, images: np.ndarray) -> dict[str, tuple[float, float]]:
        """Returns the least and the largest value of the input and of each step's output, by name.

        `images` are uint8 (n, height, width, 3), RGB.
        """

        def limits(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            values, _ = self._values(pixels, _total)
            return {
                name: tf.stack([tf.reduce_min(value.tensor), tf.reduce_max(value.tensor)])
                for name, value in values.items()
            }

        compiled = tf.function(limits, autograph=False)
        found = [compiled(tf.constant(batch.astype(np.float32))) for batch in batches(images)]
        return {
            name: (min(float(each[name][0]) for each in found), max(float(each[name][1]) for each in found))
            for name in found[0]
        }

    def _run(self, images: tf.Tensor, say: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the probabilities, and what is to say, by step, of its values before and after rounding.

        Of a step that does not round that is 0.
        """
        values, said = self._values(images, say)
        return values[self.graph.output].ordered, tf.stack(said)

    def _values(
        self, images: tf.Tensor, say: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tuple[dict[str, Value], list[tf.Tensor]]:
        """Returns the input and the output of each step, by name, and what is to say of each step."""
        graph = self.graph
        said = []
        pixels = (images * graph.scale) + tf.constant(graph.bias)
        values = {graph.input: Value.of_channels_last(pixels[..., ::-1] if graph.blue_first else pixels)}
        for step in graph.steps:
            output = _execute(step, values)
            values[step.output], told = output, tf.constant(0.0)
            if step.float16 and step.operation not in CHOOSING_OPERATIONS:
                values[step.output] = output.map(_rounded)
                told = say(output.tensor, values[step.output].tensor)
            said.append(told)
        return values, said


def _execute(step: Step, values: dict[str, Value]) -> Value:
    """Returns the output of one operation, in float32."""
    arguments = {name: _value(argument, values, step.float16) for name, argument in step.arguments.items()}
    try:
        return execute(step.operation, arguments)
    except (TypeError, ValueError, NotImplementedError, tf.errors.InvalidArgumentError) as error:
        raise ComponentError(
            f"The reference executor cannot run the operation {step.operation} named {step.output} of the "
            f"converted model: {error}."
        ) from error


def _total(_: tf.Tensor, rounded: tf.Tensor) -> tf.Tensor:
    """Returns a finite number if all rounded values are finite: one pass over them, where the largest takes two."""
    return tf.reduce_sum(rounded)


def _largest(values: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.abs(values))


def _rounded(values: tf.Tensor) -> tf.Tensor:
    """Returns float32 values as float16 holds them: the nearest one, or infinity beyond its range."""
    return tf.cast(tf.cast(values, tf.float16), tf.float32)


def _value(argument: Any, values: dict[str, Value], float16: bool) -> Any:
    if isinstance(argument, Reference):
        return values[argument.name]
    if isinstance(argument, (list, tuple)):
        return [_value(item, values, float16) for item in argument]
    if isinstance(argument, (np.ndarray, np.generic)) and argument.dtype.kind == "f":
        constant = tf.constant(argument.astype(np.float32))
        return _rounded(constant) if float16 else constant
    return argument
