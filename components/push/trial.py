"""Runs a Core ML program with other weights than it was saved with, without writing a file for each trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.push.batches import batches
from components.push.compression import Tensor
from components.push.executor import Executor, Graph, Step


class Trial:
    """A graph that is compiled once, and takes other weights at each run."""

    def __init__(self, graph: Graph, tensors: Sequence[Tensor]) -> None:
        """Takes a program with float weights, and the tensors that runs may replace."""
        self._weights = {tensor.name: weights(graph, tensor) for tensor in tensors}
        self._variables = {name: tf.Variable(weight) for name, weight in self._weights.items()}
        uses = {use: tensor.name for tensor in tensors for use in tensor.uses}
        self._executor = Executor(
            dataclasses.replace(graph, steps=tuple(self._with_variables(step, uses) for step in graph.steps))
        )

    def __call__(self, images: np.ndarray, replaced: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts uint8 (n, height, width, 3), RGB -> probabilities float32 (n, classes), with some weights replaced.

        Raises ComponentError if a value that is held in float16 does not fit.
        """
        for name, variable in self._variables.items():
            variable.assign(replaced.get(name, self._weights[name]))
        return np.concatenate([self._executor(batch) for batch in batches(images)])

    def _with_variables(self, step: Step, uses: Mapping[tuple[str, str], str]) -> Step:
        arguments = {
            argument: self._variables[uses[step.output, argument]] if (step.output, argument) in uses else value
            for argument, value in step.arguments.items()
        }
        return dataclasses.replace(step, arguments=arguments)


def weights(graph: Graph, tensor: Tensor) -> np.ndarray:
    """Returns a tensor's weights as the graph's file holds them, float32."""
    output, argument = tensor.uses[0]
    step = next(step for step in graph.steps if step.output == output)
    return np.asarray(step.arguments[argument], np.float32)


def squared_changes(trial: Trial, other: Graph, tensors: Sequence[Tensor], images: np.ndarray) -> dict[str, float]:
    """Returns, by tensor, how far the probabilities move if that tensor alone is as in `other`.

    That is the mean over images of the sum of squares over classes.
    """
    expected = trial(images, {})
    return {
        tensor.name: float(
            np.square(trial(images, {tensor.name: weights(other, tensor)}) - expected).sum(axis=1).mean()
        )
        for tensor in tensors
    }
