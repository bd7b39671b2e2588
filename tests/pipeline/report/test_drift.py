"""New data against the data of version 1."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples
from pipeline.orchestrator.run_artifacts import gather
from pipeline.report.drift import Drift, find_drift
from tests.pipeline.report.roots import Root, baseline_of, probabilities_for

LABELS = np.arange(300) % 3
BEFORE = probabilities_for(LABELS, 3, 0.8, seed=1)


@pytest.fixture
def root(tiny: Examples, tmp_path: Path) -> Root:
    root = Root(tmp_path, tiny)
    root.run("old", LABELS, BEFORE)
    return root


def drift_of(root: Root, said: np.ndarray = BEFORE, **changes: Any) -> Drift | None:
    """Of a second run, whose images the old version answers with `said`."""
    old = gather(root.path, "old").evaluation
    assert isinstance(old, Evaluation)
    probabilities = probabilities_for(LABELS, 3, 0.9, seed=2)
    changes = {"baseline": baseline_of(old), "baseline_probabilities": said, **changes}
    root.run("new", LABELS, probabilities, minutes=1, **changes)
    return find_drift(gather(root.path, "new"))


def with_new_images(root: Root) -> Root:
    root.examples = root.examples.model_copy(update={"content": "9" * 64})
    return root


def test_the_same_images_cannot_drift(root: Root) -> None:
    assert drift_of(root) == Drift(version=1, same=True)


def test_without_a_version_to_compare_with_there_is_no_drift(root: Root) -> None:
    assert find_drift(gather(root.path, "old")) is None


def test_other_images_that_look_the_same_are_not_told_from_chance(root: Root) -> None:
    found = drift_of(with_new_images(root), probabilities_for(LABELS, 3, 0.8, seed=7))
    assert found is not None
    assert found.answers is not None
    assert found.answers.p_value > 0.05
    assert [row.shift for row in found.channels] == [0, 0, 0]
    assert found.balance is not None
    assert (found.balance.distance, found.balance.p_value) == (0, pytest.approx(1))


def test_other_images_that_look_otherwise_are_told(root: Root) -> None:
    with_new_images(root).channel_mean = (0.49, 0.60, 0.44)
    root.class_counts = {"train": (64, 16, 16)}
    found = drift_of(root, probabilities_for(LABELS, 3, 0.2, seed=7))
    assert found is not None
    assert found.answers is not None
    assert found.answers.p_value < 0.001
    assert found.answers.distance > 0.2
    assert [row.shift for row in found.channels] == pytest.approx([0, 0.5, 0])
    assert found.balance is not None
    assert found.balance.rows[0].name == "red"
    assert found.balance.distance == pytest.approx(64 / 96 - 1 / 3)
    assert found.balance.p_value is not None
    assert found.balance.p_value < 0.001


def test_new_classes_are_named(root: Root) -> None:
    root.examples = root.examples.model_copy(update={"content": "9" * 64, "class_names": ("red", "green", "pink")})
    found = drift_of(root)
    assert found is not None
    assert found.balance is not None
    shares = {row.name: (row.before, row.now) for row in found.balance.rows}
    assert shares["pink"] == (None, pytest.approx(1 / 3))
    assert shares["blue"] == (pytest.approx(1 / 3), None)
    assert found.balance.p_value is None


def test_data_that_is_gone_is_said_to_be(root: Root) -> None:
    shutil.rmtree(root.path / "ingest")
    found = drift_of(with_new_images(root))
    assert found == Drift(version=1, obstacle="The data of version 1 is no longer on record here.")
