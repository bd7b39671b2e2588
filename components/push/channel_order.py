"""Runs each operation of a saved Core ML file in the order of dimensions that TensorFlow computes fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from components.push.integers import INTEGER_OPERATIONS
from components.push.operations import CHANNELS_LAST, ELEMENTWISE, OPERATIONS, to_channels_first, to_channels_last


@dataclass(frozen=True)
class Value:
    """The output of an operation. Within a `tf.function`, an order that nothing uses is never computed."""

    ordered: tf.Tensor  # as Core ML orders dimensions: images are (n, C, H, W)
    channels_last: tf.Tensor | None  # the same as (n, H, W, C); None if there are not four dimensions

    @staticmethod
    def of(ordered: tf.Tensor) -> Value:
        """Takes a tensor as Core ML orders dimensions."""
        return Value(ordered, to_channels_last(ordered) if len(ordered.shape) == 4 else None)

    @staticmethod
    def of_channels_last(images: tf.Tensor) -> Value:
        """Takes a tensor (n, H, W, C)."""
        return Value(to_channels_first(images), images)

    @property
    def tensor(self) -> tf.Tensor:
        """The values, in the order that most operations use."""
        return self.ordered if self.channels_last is None else self.channels_last

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> Value:
        """Returns the Value of `function`, which works on each number alone."""
        mapped = function(self.tensor)
        return Value.of(mapped) if self.channels_last is None else Value.of_channels_last(mapped)


def execute(operation: str, arguments: dict[str, Any]) -> Value:
    """Runs one of `OPERATIONS` or `INTEGER_OPERATIONS`. Arguments are Values, constants, or lists of them.

    Raises what TensorFlow raises, or ValueError, if the operation does not take these arguments.
    """
    if operation in INTEGER_OPERATIONS:
        return arguments.pop("input").map(lambda x: INTEGER_OPERATIONS[operation](x, **arguments))
    if operation in CHANNELS_LAST and _channels_last(arguments.get("x")) is not None:
        return Value.of_channels_last(
            CHANNELS_LAST[operation](**_ordered(arguments) | {"x": _channels_last(arguments["x"])})
        )
    if operation in ELEMENTWISE and _all_images(arguments):
        return Value.of_channels_last(OPERATIONS[operation](**_all_channels_last(arguments)))
    return Value.of(OPERATIONS[operation](**_ordered(arguments)))


def _channels_last(argument: Any) -> tf.Tensor | None:
    return argument.channels_last if isinstance(argument, Value) else None


def _all_images(arguments: dict[str, Any]) -> bool:
    """Returns whether there are Values, and all of them have four dimensions."""
    values = [argument for argument in arguments.values() if isinstance(argument, Value)]
    return bool(values) and all(value.channels_last is not None for value in values)


def _all_channels_last(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: argument.channels_last if isinstance(argument, Value) else _constant_channels_last(argument)
        for name, argument in arguments.items()
    }


def _constant_channels_last(constant: Any) -> Any:
    """Returns a constant such as (C, 1, 1), or a number, so that it meets images with the channels last as before."""
    shape = tuple(getattr(constant, "shape", ()))
    return to_channels_last(tf.reshape(constant, (*[1] * (4 - len(shape)), *shape))) if shape else constant


def _ordered(argument: Any) -> Any:
    if isinstance(argument, dict):
        return {name: _ordered(each) for name, each in argument.items()}
    if isinstance(argument, list):
        return [_ordered(each) for each in argument]
    return argument.ordered if isinstance(argument, Value) else argument
