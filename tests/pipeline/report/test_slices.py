from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Evaluation
from pipeline.report.slices import SLICES_SHOWN, slice_tables
from tests.pipeline.report.roots import baseline_of


def evaluation(slices: dict[str, dict[str, float]]) -> Evaluation:
    empty = {"checks": (), "metrics": {}, "class_names": (), "confusion_matrix": ()}
    return Evaluation.model_validate({"folder": Path(), "blessed": True, "example_count": 0, "slices": slices, **empty})


def test_slices_stand_by_feature_the_worst_first_and_empty_ones_last() -> None:
    found = slice_tables(
        evaluation(
            {
                "class=cat": {"accuracy": 0.1},
                "size=small": {"example_count": 50, "accuracy": 0.9, "auc": 0.95},
                "size=none": {"example_count": 0},
                "size=a=b": {"example_count": 40, "accuracy": 0.5},
            }
        )
    )
    assert [table.feature for table in found] == ["size"]
    assert [row.value for row in found[0].rows] == ["a=b", "small", "none"]
    assert found[0].metric_names == ("auc",)
    assert found[0].rows[0].interval is not None
    assert found[0].rows[2].interval is None


def test_intervals_and_changes_are_the_evaluations() -> None:
    slices = {"size=small": {"example_count": 50.0, "accuracy": 0.9}}
    found = evaluation(slices).model_copy(update={"intervals": {"size=small": {"accuracy": (0.8, 0.95)}}})
    found = found.model_copy(
        update={"baseline": baseline_of(evaluation({"size=small": {"accuracy": 0.8}}), (0.02, 0.2))}
    )
    (row,) = slice_tables(found)[0].rows
    assert row.interval == (0.8, 0.95)
    assert row.change == pytest.approx(0.1)
    assert row.change_interval == (0.02, 0.2)


def test_thousands_of_slices_are_cut() -> None:
    (table,) = slice_tables(evaluation({f"folder={index}": {"accuracy": 0.5} for index in range(SLICES_SHOWN + 7)}))
    assert (len(table.rows), table.hidden) == (SLICES_SHOWN, 7)
