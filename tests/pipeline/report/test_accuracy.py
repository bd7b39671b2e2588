from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Check, CrossValidated, Examples
from components.intervals import wilson
from pipeline.orchestrator.run_artifacts import gather
from pipeline.report.accuracy import Accuracy, find_accuracy
from pipeline.report.predictions import read_predictions
from tests.pipeline.report.conftest import FIRST, SECOND, TwoRuns
from tests.pipeline.report.roots import Root, baseline_of, probabilities_for

LABELS = np.arange(48) % 3


def accuracy_in(root: Path, run_id: str) -> Accuracy | None:
    run = gather(root, run_id)
    assert run.evaluation is not None
    return find_accuracy(run, read_predictions(run.evaluation))


def test_the_value_is_the_evaluations(two_runs: TwoRuns) -> None:
    found = accuracy_in(two_runs.root.path, SECOND)
    assert found is not None
    assert found.value == two_runs.after.metrics["accuracy"]
    assert found.interval.low < found.value < found.interval.high


def test_the_change_is_from_the_run_before_on_the_same_images(two_runs: TwoRuns) -> None:
    found = accuracy_in(two_runs.root.path, SECOND)
    assert found is not None
    (change,) = found.changes
    assert (change.run_id, change.what) == (FIRST, "the run before")
    assert change.difference == pytest.approx(found.value - two_runs.before.metrics["accuracy"])
    assert change.interval is not None
    assert sum(change.interval) / 2 == pytest.approx(change.difference)


def test_the_first_run_has_nothing_to_compare_with(two_runs: TwoRuns) -> None:
    found = accuracy_in(two_runs.root.path, FIRST)
    assert found is not None
    assert found.changes == ()


def test_the_version_that_the_evaluation_compared_with_comes_first(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    good = root.run("good", LABELS, probabilities_for(LABELS, 3, 1.0, seed=1), minutes=0)
    root.run("bad", LABELS, probabilities_for(LABELS, 3, 0.1, seed=2), minutes=1, state="not blessed", blessed=False)
    assert good is not None
    root.run("new", LABELS, probabilities_for(LABELS, 3, 0.5, seed=3), minutes=2, baseline=baseline_of(good))
    found = accuracy_in(tmp_path, "new")
    assert found is not None
    assert [(change.run_id, change.what) for change in found.changes] == [
        ("good", "version 1, the best published before"),
        ("bad", "the run before"),
    ]
    assert (found.changes[0].short, found.changes[0].interval) == ("version 1", (-0.05, 0.15))
    assert found.changes[0].difference == pytest.approx(found.value - good.metrics["accuracy"])


def test_the_run_before_is_named_once(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    good = root.run("good", LABELS, probabilities_for(LABELS, 3, 1.0, seed=1), minutes=0)
    assert good is not None
    root.run("new", LABELS, probabilities_for(LABELS, 3, 0.5, seed=3), minutes=2, baseline=baseline_of(good))
    found = accuracy_in(tmp_path, "new")
    assert found is not None
    assert [change.run_id for change in found.changes] == ["good"]


def test_other_images_have_no_interval(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    root.run("one", LABELS, probabilities_for(LABELS, 3, 0.5), minutes=0)
    other = LABELS[::-1].copy()
    root.run("two", other, probabilities_for(other, 3, 0.5), minutes=1)
    found = accuracy_in(tmp_path, "two")
    assert found is not None
    assert found.changes[0].interval is None


def test_a_small_test_split_has_the_accuracy_over_all_images_beside_it(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    judged = Check(
        metric="accuracy", slice="overall", value=0.9, cross_validated=True, bound=">= 0.5", passed=True, reason="."
    )
    every = CrossValidated(right_images=270, images=300)
    root.run("few", LABELS, probabilities_for(LABELS, 3, 0.5), cross_validated=every, checks=(judged,))
    found = accuracy_in(tmp_path, "few")
    assert found is not None
    assert found.over_all == (0.9, wilson(0.9, 300), 300, True)
    assert (found.images, found.points_an_image) == (48, "2.08")


def test_a_large_test_split_tells_enough(tiny: Examples, tmp_path: Path) -> None:
    labels = np.arange(120) % 3
    Root(tmp_path, tiny).run("many", labels, probabilities_for(labels, 3, 0.5))
    found = accuracy_in(tmp_path, "many")
    assert found is not None
    assert (found.over_all, found.points_an_image) == (None, "")


def test_the_accuracy_without_near_copies_is_that_of_the_slice_without_them(tiny: Examples, tmp_path: Path) -> None:
    root = Root(tmp_path, tiny)
    slices = {
        "near_copy_across_splits=no": {"example_count": 40, "accuracy": 0.75},
        "near_copy_across_splits=yes": {"example_count": 8, "accuracy": 1.0},
    }
    root.run("some", LABELS, probabilities_for(LABELS, 3, 0.5), slices=slices)
    root.run("none", LABELS, probabilities_for(LABELS, 3, 0.4), slices={"near_copy_across_splits=no": {}}, minutes=1)
    found, clean = accuracy_in(tmp_path, "some"), accuracy_in(tmp_path, "none")
    assert found is not None
    assert clean is not None
    assert found.without_copies == (0.75, wilson(0.75, 40), 40, 8)
    assert clean.without_copies is None


def test_no_images_have_no_accuracy(tiny: Examples, tmp_path: Path) -> None:
    Root(tmp_path, tiny).run("none", np.array([], int), np.zeros((0, 3), np.float32))
    assert accuracy_in(tmp_path, "none") is None
