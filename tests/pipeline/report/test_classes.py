from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Evaluation
from pipeline.report.classes import MATRIX_CLASSES, PAIRS_SHOWN, class_rows, find_confusion


def evaluation(matrix: Any, names: tuple[str, ...], slices: dict[str, dict[str, float]] | None = None) -> Evaluation:
    return Evaluation(
        folder=Path(),
        blessed=True,
        checks=(),
        example_count=int(np.sum(matrix)),
        metrics={},
        slices=slices or {},
        class_names=names,
        confusion_matrix=tuple(tuple(map(int, row)) for row in matrix),
    )


def test_pairs_are_sorted_by_how_often_they_are_confused() -> None:
    confusion = find_confusion(evaluation([[8, 2, 0], [0, 5, 5], [1, 0, 9]], ("cat", "dog", "frog")))
    assert [(pair.label, pair.predicted, pair.images) for pair in confusion.pairs] == [
        ("dog", "frog", 5),
        ("cat", "dog", 2),
        ("frog", "cat", 1),
    ]
    assert confusion.pairs[0].fraction == 0.5
    assert confusion.rows[0] == (8, 2, 0)


def test_many_classes_have_pairs_in_place_of_a_matrix() -> None:
    count = MATRIX_CLASSES + 1
    confusion = find_confusion(evaluation(np.ones((count, count)), tuple(map(str, range(count)))))
    assert confusion.rows == ()
    assert len(confusion.pairs) == PAIRS_SHOWN
    assert confusion.pair_count == count * (count - 1)


def test_rows_begin_with_the_lowest_recall_and_end_with_classes_without_images() -> None:
    rows = class_rows(evaluation([[8, 2, 0], [0, 5, 5], [0, 0, 0]], ("cat", "dog", "frog")))
    assert [row.name for row in rows] == ["dog", "cat", "frog"]
    assert rows[0].taken_for == "frog, 5"
    assert rows[0].precision == pytest.approx(5 / 7)
    assert rows[0].f1 == pytest.approx(10 / 17)
    assert rows[2].recall is None


def test_the_evaluations_own_figures_are_shown_where_it_has_them() -> None:
    (row, _) = class_rows(evaluation([[1, 0], [0, 1]], ("cat", "dog"), {"class=cat": {"recall": 0.123}}))
    assert row.recall == 0.123


def test_one_class_is_never_confused() -> None:
    confusion = find_confusion(evaluation([[7]], ("cat",)))
    assert (confusion.pairs, confusion.rows) == ((), ((7,),))
