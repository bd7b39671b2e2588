"""What evaluate makes of findings of inspect: slices, bounds of the gate, and a warning."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.evaluate import Evaluate, EvaluateConfig
from components.evaluate.ceilings import judge_findings
from components.evaluate.thresholds import Thresholds
from components.findings import Finding, Findings, ImageReference
from tests.components import scanning
from tests.components.evaluate import classifiers

LEAKED = (3, 19, 20, 47)  # of the 48 test images, in three shards of 20


def evaluate(thresholds: dict[str, Any] | None = None, **config: Any) -> Evaluate:
    config = {"thresholds": thresholds or {"accuracy": {"min": 0.5}}, "slice_by": (), "shard_examples": 20, **config}
    return Evaluate(EvaluateConfig.model_validate(config))


def findings_of(folder: Path, leaked: Sequence[int] = LEAKED, warnings: tuple[str, ...] = ("Look.",)) -> Findings:
    """Findings with a near copy in train of some test images, and 3 of 168 labels that look wrong."""
    folder.mkdir(exist_ok=True)
    pairs = [
        tuple(ImageReference(split=split, index=index, label=0, digest="00") for split in ("test", "train"))
        for index in leaked
    ]
    lines = [Finding(kind="near_copy", images=pair, score=1, reason="same").model_dump_json() for pair in pairs]
    (folder / Findings.FILE).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Findings(
        folder=folder,
        image_counts={"train": 96, "validation": 24, "test": 48},
        counts={"near_copy": len(pairs), "label_issue": 0, "odd_image": 0},
        leaked_images=len(pairs),
        label_issue_fraction=3 / 168,
        warnings=warnings,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Model:
    return classifiers.save(tmp_path_factory.mktemp("model"), tiny.class_names, classifiers.by_two_pixels)


def test_images_with_and_without_a_copy_are_slices(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "components.evaluate"):
        found: Evaluation = scanning.run(evaluate(), workspace, tiny, model, findings_of(tmp_path / "findings"))
    shards = [np.load(path) for path in sorted((workspace.folder / "predictions").iterdir())]
    right = np.concatenate([shard["probabilities"].argmax(axis=1) == shard["label"] for shard in shards])
    copied = np.isin(np.arange(48), LEAKED)
    for name, chosen in (("yes", copied), ("no", ~copied)):
        slice_ = f"near_copy_across_splits={name}"
        assert found.slices[slice_]["example_count"] == chosen.sum()
        assert found.slices[slice_]["accuracy"] == pytest.approx(right[chosen].mean())
        assert "accuracy" in found.intervals[slice_]
    assert found.metrics["accuracy"] == pytest.approx(right.mean())
    assert found.summary()["accuracy_without_near_copies"] == pytest.approx(right[~copied].mean())
    said = (
        f"The accuracy is {100 * right.mean():.1f} %, and {100 * right[~copied].mean():.1f} % without the 4 test images"
    )
    assert [record.message for record in caplog.records if record.name.startswith("components.evaluate")] == [
        f"{said} that have a near copy in train or validation."
    ]


def test_if_every_image_has_a_copy_there_is_no_accuracy_without_them(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    findings = findings_of(tmp_path / "findings", range(48))
    found: Evaluation = scanning.run(evaluate(), workspace, tiny, model, findings)
    assert [name for name in found.slices if not name.startswith("class=")] == ["near_copy_across_splits=yes"]
    accuracy = f"The accuracy is {100 * found.metrics['accuracy']:.1f} %"
    assert f"{accuracy}, and every test image has a near copy in train or validation." in caplog.messages


def test_if_no_image_has_a_copy_the_accuracy_without_them_is_that_of_all(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path
) -> None:
    thresholds = {"accuracy": {"slices": {"near_copy_across_splits=no": {"min": 0.5}}}}
    findings = findings_of(tmp_path / "findings", (), warnings=())
    found: Evaluation = scanning.run(evaluate(thresholds), workspace, tiny, model, findings)
    assert found.blessed
    assert found.slices["near_copy_across_splits=no"]["accuracy"] == found.metrics["accuracy"]
    assert "near_copy_across_splits=yes" not in found.slices
    assert "accuracy_without_near_copies" not in found.summary()


def test_findings_beyond_their_bounds_are_reasons_like_any_other(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Copies that are meant come without a warning, but not beyond a bound."""
    thresholds = {
        "accuracy": {"min": 0.5, "slices": {"near_copy_across_splits=no": {"min": 0.5}}},
        "near_copies_across_splits": {"max": 3},
        "label_issues_fraction": {"max": 0.02},
    }
    findings = findings_of(tmp_path / "findings", warnings=())
    found: Evaluation = scanning.run(evaluate(thresholds), workspace, tiny, model, findings)
    assert not found.blessed
    assert not any("near copy" in message for message in caplog.messages)
    assert found.reasons == (
        "near_copies_across_splits is 4 (of 48 test images): it must be at most 3. The page Data of the report shows "
        "them: leave one image of each pair out, or keep both in one split.",
    )
    assert [(check.metric, check.passed) for check in found.checks[2:]] == [
        ("accuracy", True),
        ("near_copies_across_splits", False),
        ("label_issues_fraction", True),
    ]


@pytest.mark.parametrize(("most", "passed"), [(4, True), (3, False)])
def test_exactly_the_bound_is_enough(tmp_path: Path, most: int, passed: bool) -> None:
    limits = Thresholds.model_validate({"near_copies_across_splits": {"max": most}}).ceilings()
    (check,) = judge_findings(limits, findings_of(tmp_path / "findings"))
    assert (check.passed, check.value, check.bound) == (passed, 4, f"<= {most}")


@pytest.mark.parametrize(
    ("thresholds", "bound"),
    [
        ({"near_copies_across_splits": {"max": 3}}, "near_copies_across_splits"),
        ({"label_issues_fraction": {"max": 0}}, "label_issues_fraction"),
        (
            {"accuracy": {"slices": {"near_copy_across_splits=no": {"min": 0.5}}}},
            "accuracy.slices.near_copy_across_splits=no",
        ),
    ],
)
def test_a_bound_on_findings_that_nobody_made_is_refused_before_the_work(
    workspace: Workspace, tiny: Examples, model: Model, thresholds: dict[str, Any], bound: str
) -> None:
    sentence = f"evaluate.thresholds.{bound} bounds what inspect finds, and there are no findings. Set inspect to {{}}"
    with pytest.raises(ComponentError, match=re.escape(sentence)):
        evaluate(thresholds).list_shards(workspace, tiny, model)


def test_damaged_findings_are_refused_before_the_work(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path
) -> None:
    findings = findings_of(tmp_path / "findings")
    findings.file.write_bytes(findings.file.read_bytes()[:-30])
    with pytest.raises(ComponentError, match="is damaged: line 4 is no finding"):
        evaluate().list_shards(workspace, tiny, model, findings)
