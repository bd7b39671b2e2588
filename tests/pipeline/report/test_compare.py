from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from pipeline.orchestrator.run_artifacts import gather
from pipeline.report.compare import Comparison, make_comparison
from tests.pipeline.report.conftest import FIRST, SECOND, TwoRuns
from tests.pipeline.report.roots import Root, probabilities_for

LABELS = np.arange(48) % 3


def compare(root: Path, first: str, second: str) -> Comparison:
    return make_comparison(gather(root, first), gather(root, second))


@pytest.fixture(scope="module")
def comparison(two_runs: TwoRuns) -> Comparison:
    return compare(two_runs.root.path, FIRST, SECOND)


def test_metrics_of_both_stand_side_by_side(comparison: Comparison, two_runs: TwoRuns) -> None:
    (accuracy,) = (row for row in comparison.metrics if row.name == "accuracy")
    assert (accuracy.before, accuracy.after) == tuple(each.metrics["accuracy"] for each in two_runs[1:])


def test_gained_less_lost_is_the_change(comparison: Comparison, two_runs: TwoRuns) -> None:
    disagreement = comparison.disagreement
    assert disagreement is not None
    right = [int(np.trace(each.confusion_matrix)) for each in two_runs[1:]]
    assert disagreement.gained_count - disagreement.lost_count == right[1] - right[0]
    assert len(disagreement.gained) == min(disagreement.gained_count, 24)
    assert not any(image.correct for image in disagreement.gained + disagreement.lost)


def test_the_largest_change_of_a_class_comes_first(comparison: Comparison) -> None:
    changes = [abs(change.difference or 0) for change in comparison.classes]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0


def test_what_they_are_made_of_differs_where_it_differs(comparison: Comparison) -> None:
    assert comparison.causes["ingest"] == []
    assert comparison.causes["train"] == [
        "config: epochs None → 16",
        "code: components/train/__init__.py:run changed",
    ]
    assert comparison.causes["evaluate"] == ["data: model changed"]


def test_a_run_without_an_evaluation_has_no_images_to_compare(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    root.run("one", to="train")
    root.run("two", LABELS, probabilities_for(LABELS, 3, 0.5))
    comparison = compare(tmp_path, "one", "two")
    assert comparison.disagreement is None
    assert comparison.obstacle == "One of the runs evaluated no model."
    assert [row.before for row in comparison.metrics] == [None, None]


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"content": "2" * 64}, "They were not evaluated on the same dataset."),
        ({"splits": {"train": "train", "test": "test[:48]"}}, "They were not evaluated on the same images."),
    ],
)
def test_other_images_cannot_be_compared(
    tiny: Examples, tmp_path: Path, changes: dict[str, object], obstacle: str
) -> None:
    for run, examples in (("one", tiny), ("two", tiny.model_copy(update=changes))):
        config = {"ingest": {"dataset": run}}
        Root(tmp_path, examples).run(run, LABELS, probabilities_for(LABELS, 3, 0.5), config=config)
    assert compare(tmp_path, "one", "two").obstacle == obstacle
