"""The component's figures against those of `tfma.run_model_analysis`, which goes another way from the same model."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evaluate import analyse
from components.artifacts import Evaluation, Examples
from components.component import Workspace
from components.evaluate import Evaluate, EvaluateConfig
from tests.components import scanning
from tests.components.evaluate import classifiers


def test_figures_are_those_of_run_model_analysis(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    model = classifiers.save(tmp_path, tiny.class_names, classifiers.by_two_pixels)
    expected = analyse({"candidate": model.saved_model}, tiny, tmp_path)
    config = EvaluateConfig.model_validate({"thresholds": {"accuracy": {"min": 0.1}}, "slice_by": ()})
    found: Evaluation = scanning.run(Evaluate(config), workspace, tiny, model)
    tables = {(): {**found.metrics, "example_count": found.example_count}}
    tables |= {(("label", label),): found.slices[f"class={name}"] for label, name in enumerate(tiny.class_names)}
    assert tables.keys() == expected.keys()
    for slice_, values in tables.items():
        for metric in ("accuracy", "cross_entropy", "example_count"):
            assert values[metric] == pytest.approx(expected[slice_][metric]["doubleValue"], rel=1e-5), (slice_, metric)
    assert 0.5 < found.metrics["accuracy"] < 1
