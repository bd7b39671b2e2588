"""Arranges the figures of TFMA by slice and by name."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from components.component import ComponentError
from components.evaluate.analysis import Figures, SliceKey
from components.evaluate.thresholds import OVERALL, class_slice, top_k_metric

Values = dict[str, float]
LARGEST_SLICE_COUNT = 1000  # values of one feature


def values_by_slice(
    figures: list[Figures], matrix: NDArray[np.int64], class_names: tuple[str, ...], top_k: int
) -> dict[str, Values]:
    """Returns all metrics of one model by slice: "overall", the classes that have examples, then the other slices."""
    found: dict[str, Values] = defaultdict(dict)
    for part in sorted(figures, key=lambda part: (_place(part.slice), sorted(part.values))):
        found[_slice_name(part.slice, class_names)] |= part.values
    for index, class_name in enumerate(class_names):
        if class_slice(class_name) in found:
            found[class_slice(class_name)] |= class_figures(matrix, index)
    if top_k >= len(class_names):
        for values in found.values():
            values.pop(top_k_metric(top_k), None)  # always 1
    return dict(found)


def _place(key: SliceKey) -> tuple[int, str, str, int]:
    if not key:
        return 0, "", "", 0
    ((name, value),) = key
    return (1, "", "", value) if name == "class" else (2, name, str(value), 0)


def _slice_name(key: SliceKey, class_names: tuple[str, ...]) -> str:
    if not key:
        return OVERALL
    ((name, value),) = key
    return class_slice(class_names[value]) if name == "class" else f"{name}={value}"


def confusion_matrix(figures: list[Figures], class_count: int) -> NDArray[np.int64]:
    """Returns the confusion matrix, int64 (classes, classes); rows: the true class, columns: the predicted one."""
    matrix = np.zeros((class_count, class_count), np.int64)
    for part in figures:
        if not part.slice:
            for true, answer, count in part.confusion:
                matrix[true, answer] = count
    return matrix


def class_figures(matrix: NDArray[np.int64], index: int) -> Values:
    """Returns the metrics of one class; precision is 0 if the class was never predicted, as in scikit-learn."""
    hits, examples, answers = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
    return {
        "precision": hits / max(answers, 1),
        "recall": hits / max(examples, 1),
        "f1": 2 * hits / max(answers + examples, 1),
    }


def check_slice_count(figures: list[Figures]) -> None:
    """Raises ComponentError for a feature that has almost as many values as there are images."""
    keys = {part.slice for part in figures if part.slice and part.slice[0][0] != "class"}
    for name, count in Counter(key[0][0] for key in keys).items():
        if count > LARGEST_SLICE_COUNT:
            raise ComponentError(
                f'evaluate.slice_by has "{name}", which has {count} values in the test split; at most '
                f"{LARGEST_SLICE_COUNT} are measured. Remove it, or slice by a feature with fewer values."
            )
