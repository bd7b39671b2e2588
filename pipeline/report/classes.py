"""The confusion matrix of an evaluation, and a row of metrics for each class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from components.artifacts import Evaluation
from components.intervals import Interval
from pipeline.report.figures import figure_rows

MATRIX_CLASSES = 24  # beyond these, a matrix cannot be read
PAIRS_SHOWN = 40


class Pair(NamedTuple):
    """A pair of classes, and how often one is taken for the other."""

    label: str
    predicted: str
    images: int
    fraction: float  # of the class's images


class ClassRow(NamedTuple):
    """The metrics of one class, 0-1. A metric that is not defined, because there are no images, is None."""

    name: str
    images: int
    recall: float | None
    precision: float | None
    f1: float | None
    auc: float | None
    change: float | None  # of the recall, from the baseline
    change_interval: Interval | None
    taken_for: str  # the class that its images are most often taken for, and how often


class Confusion(NamedTuple):
    """The confusion matrix and its most frequent errors. Rows are true classes, columns are predicted ones."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]  # image counts; empty if there are too many classes for a matrix
    pairs: tuple[Pair, ...]  # the most frequent first
    pair_count: int  # the number of all pairs of classes that were confused


def find_confusion(evaluation: Evaluation) -> Confusion:
    """Returns the confusion matrix of an evaluation, with its most frequent errors."""
    names = evaluation.class_names
    matrix = _matrix(evaluation)
    totals = matrix.sum(1)
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS_SHOWN]
    found = [tuple(map(int, np.unravel_index(each, wrong.shape))) for each in order] if wrong.size else []
    pairs = (
        Pair(names[row], names[column], int(wrong[row, column]), float(wrong[row, column] / totals[row]))
        for row, column in found
        if wrong[row, column]
    )
    rows = evaluation.confusion_matrix if len(names) <= MATRIX_CLASSES else ()
    return Confusion(names, rows, tuple(pairs), int((wrong > 0).sum()))


def class_rows(evaluation: Evaluation) -> list[ClassRow]:
    """Returns a row for each class, the lowest recall first.

    Metrics come from the evaluation's slices where they have them, and otherwise from the confusion matrix.
    """
    matrix = _matrix(evaluation)
    rows = [_row(index, matrix, evaluation) for index in range(len(evaluation.class_names))]
    return sorted(rows, key=lambda row: (row.recall is None, row.recall))


def _row(index: int, matrix: np.ndarray, evaluation: Evaluation) -> ClassRow:
    name = evaluation.class_names[index]
    right, images, predicted = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
    figures = {row.name: row for row in figure_rows(evaluation, f"class={name}")}
    given = {metric: row.value for metric, row in figures.items()}
    wrong = matrix[index].copy()
    wrong[index] = 0
    most = int(wrong.argmax())
    return ClassRow(
        name=name,
        images=images,
        recall=given.get("recall", _fraction(right, images)),
        precision=given.get("precision", _fraction(right, predicted)),
        f1=given.get("f1", _fraction(2 * right, images + predicted)),
        auc=given.get("auc"),
        change=figures["recall"].change if "recall" in figures else None,
        change_interval=figures["recall"].change_interval if "recall" in figures else None,
        taken_for=f"{evaluation.class_names[most]}, {wrong[most]:,}" if wrong[most] else "",
    )


def _matrix(evaluation: Evaluation) -> np.ndarray:
    """Returns the confusion matrix, int64 (classes, classes)."""
    count = len(evaluation.class_names)
    return np.asarray(evaluation.confusion_matrix, np.int64).reshape(count, count)


def _fraction(part: int, whole: int) -> float | None:
    return part / whole if whole else None
