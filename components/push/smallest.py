"""Searches for the smallest file within `push.max_accuracy_drop`: which tensor gets how many bits.

Each tensor alone is rounded to palettes of 4 bits, to see how far that moves the probabilities. Other precisions move
them in proportion to the squares of their rounding errors, as in HAWQ-V2 (Dong et al. 2020). From float16 on, the
tensor whose bytes cost least gives bytes away next; a search by halves finds how far that may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import coremltools as ct
import numpy as np

from components.push import PushConfig
from components.push.compression import PALETTE4, PRECISIONS, Precision, Tensor, compress_each, weight_tensors
from components.push.executor import Graph
from components.push.mlprogram import read_mlprogram
from components.push.trial import Trial, squared_changes, weights

PROBE_MEGAPIXELS = 2  # over all tensors: 250 images of 32 x 32 each for eight of them
LEAST_PROBE_IMAGES = 16
LEAST_ALLOWANCE = 0.25  # of `push.max_accuracy_drop`
NOTHING_LARGE = "float16: no tensor has more than 512 weights"


@dataclass(frozen=True)
class SearchImages:
    """Images that were not tested, and how many will be."""

    images: np.ndarray  # uint8 (n, height, width, 3), RGB
    test_images: int


@dataclass(frozen=True)
class _Move:
    """One tensor's change to fewer bytes."""

    tensor: str
    precision: Precision
    cost: float  # further change of the probabilities for each byte saved


class SmallestSearch:
    """The precisions of one model's tensors, in the order in which they become smaller."""

    def __init__(self, model: ct.models.MLModel, config: PushConfig, search: SearchImages) -> None:
        """Measures what each tensor costs. `model` is in float16; it is not changed."""
        self._model, self._config, self._search = model, config, search
        self._tensors = weight_tensors(model)
        self._allowance, self.text = 1.0, NOTHING_LARGE
        if not self._tensors:
            return
        original = _read(model)
        self._trial = Trial(original, self._tensors)
        self._expected = self._trial(search.images, {})
        self._graphs = {
            precision: _read(compress_each(model, {tensor.name: precision for tensor in self._tensors}))
            for precision in PRECISIONS
            if precision.target <= max(config.deployment_target, "iOS16")
        }
        few = search.images[: _probe_images(search, len(self._tensors))]
        changes = squared_changes(self._trial, self._graphs[PALETTE4], self._tensors, few)
        moves = [
            move
            for tensor in self._tensors
            for move in _moves(tensor, weights(original, tensor), self._graphs, changes[tensor.name])
        ]
        self._moves = sorted(moves, key=lambda move: move.cost)

    def find(self) -> ct.models.MLModel:
        """Returns the smallest model whose likely drop in accuracy is allowed. `text` says what it is."""
        if not self._tensors:
            return self._model
        least, most = 0, len(self._moves) if self._allowance else 0
        while least < most:
            middle = (least + most + 1) // 2
            least, most = (middle, most) if self._fits(middle) else (least, middle - 1)
        precisions = _chosen(self._moves[:least])
        self.text = describe(self._tensors, precisions)
        return compress_each(self._model, precisions)

    def allow_less(self) -> bool:
        """Lets the next model use half of `push.max_accuracy_drop`, then a quarter, then none; False after that."""
        if not self._allowance or not self._tensors:
            return False
        self._allowance = self._allowance / 2 if self._allowance > LEAST_ALLOWANCE else 0.0
        return True

    def _fits(self, count: int) -> bool:
        chosen = _chosen(self._moves[:count])
        replaced = {
            tensor.name: weights(self._graphs[chosen[tensor.name]], tensor)
            for tensor in self._tensors
            if tensor.name in chosen
        }
        found = self._trial(self._search.images, replaced)
        drop = likely_drop(found, self._expected, self._search.test_images, self._config)
        return drop <= self._allowance * self._config.max_accuracy_drop


def _read(model: ct.models.MLModel) -> Graph:
    return read_mlprogram(Path(model.package_path))


def likely_drop(found: np.ndarray, expected: np.ndarray, test_images: int, config: PushConfig) -> float:
    """Returns the drop in accuracy that a test split of so many images will hardly exceed, without any label.

    By the model's own probabilities, float (n, classes), a new top class loses what `expected` says of the old one
    minus what it says of the new one. To that comes one standard deviation of the count of such images in the test
    split. As in `require_accuracy`, those that the model hardly decided do not count. Few images show little: one more
    than was seen is taken to change, of two more (Laplace's rule).
    """
    top, expected_top = found.argmax(1), expected.argmax(1)
    first, given = (np.take_along_axis(expected, each[:, np.newaxis], 1)[:, 0] for each in (expected_top, top))
    changed = first - given >= config.max_probability_difference
    fraction = (changed.sum() + 1) / (len(found) + 2)
    return float(((first - given) * changed).mean() + np.sqrt(fraction / test_images))


def describe(tensors: Sequence[Tensor], precisions: Mapping[str, Precision]) -> str:
    """Returns the precisions and their parts of the weights, such as "int8 12 %, palettes of 4 bits 88 %"."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        text = precisions[tensor.name].text if tensor.name in precisions else "float16"
        sizes[text] = sizes.get(text, 0) + int(np.prod(tensor.shape))
    if list(sizes) == ["float16"]:
        return "float16: no tensor can be smaller within push.max_accuracy_drop"
    return ", ".join(
        f"{text} {size / sum(sizes.values()):.0%}" for text, size in sorted(sizes.items(), key=lambda item: -item[1])
    )


def _probe_images(search: SearchImages, tensors: int) -> int:
    _, height, width, _ = search.images.shape
    return max(LEAST_PROBE_IMAGES, int(PROBE_MEGAPIXELS * 1e6 / (tensors * height * width)))


def _moves(
    tensor: Tensor, float_weights: np.ndarray, graphs: Mapping[Precision, Graph], probe_change: float
) -> Iterator[_Move]:
    """Yields the moves to fewer bytes that cost least, from float16 on: each costs more than the one before."""
    errors = {each: float(np.square(weights(graph, tensor) - float_weights).sum()) for each, graph in graphs.items()}
    per_error = probe_change / errors[PALETTE4] if errors[PALETTE4] else 0.0
    sizes = {each: each.bytes(tensor.shape) for each in graphs if errors[each]}  # the others could not be applied
    size, change = 2 * float_weights.size, 0.0
    while smaller := [each for each in sizes if sizes[each] < size]:
        costs = {each: (per_error * errors[each] - change) / (size - sizes[each]) for each in smaller}
        best = min(smaller, key=lambda each: costs[each])
        yield _Move(tensor.name, best, costs[best])
        size, change = sizes[best], per_error * errors[best]


def _chosen(moves: Sequence[_Move]) -> dict[str, Precision]:
    """Returns the precisions after these moves: of a tensor, the last one counts."""
    return {move.tensor: move.precision for move in moves}
