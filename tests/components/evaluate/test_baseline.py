"""A model against the best published one, on a real Beam graph."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.evaluate import Evaluate, EvaluateConfig
from components.evaluate.baseline import find_baseline
from components.registry.pointers import roll_back
from tests.components import scanning
from tests.components.evaluate import classifiers
from tests.components.published import publish

CHANGES = {
    "accuracy": {"min": 0.1, "change": {"min": -0.01}, "each_class": {"change": {"min_images": 10}}},
    "cross_entropy": {"change": {"max": 0.02}},
    "auc": {"slices": {"class=red": {"change": {"min_images": 10}}}},
}


def evaluate(thresholds: dict[str, Any] = CHANGES, **config: Any) -> Evaluate:
    return Evaluate(EvaluateConfig.model_validate({"thresholds": thresholds, "slice_by": (), **config}))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Model:
    return classifiers.save(tmp_path_factory.mktemp("good"), tiny.class_names, classifiers.by_two_pixels)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Model:
    folder = tmp_path_factory.mktemp("bad")
    return classifiers.save(folder, tiny.class_names, classifiers.always(1, classes=3), size=(16, 16))


def against(workspace: Workspace, baseline: Model | None) -> Workspace:
    """The workspace of a run that finds `baseline` published as version 3."""
    if baseline is not None:
        publish(workspace.root / "pushed", 3, "33", 0.8, baseline)
    return dataclasses.replace(workspace, fingerprint="33")


def test_a_worse_model_is_refused_with_the_figures_of_both(
    workspace: Workspace, tiny: Examples, good: Model, bad: Model
) -> None:
    found: Evaluation = scanning.run(evaluate(), against(workspace, good), tiny, bad)
    assert found.baseline is not None
    assert (found.baseline.version, found.baseline.model_digest) == (3, "33")
    assert found.metrics["accuracy"] == pytest.approx(1 / 3)
    assert found.baseline.metrics["accuracy"] > 0.8
    check = next(check for check in found.checks if check.of == "change" and check.slice == "overall")
    assert (check.metric, check.bound, check.passed) == ("accuracy", ">= -0.01", False)
    assert check.value == pytest.approx(found.metrics["accuracy"] - found.baseline.metrics["accuracy"])
    assert check.p_value is not None
    assert check.p_value < 0.001
    assert check.interval is not None
    assert check.interval[0] < check.value < check.interval[1] < 0
    assert check.reason.startswith(
        f"accuracy went from {found.baseline.metrics['accuracy']:.4g} in version 3 to 0.3333"
    )
    assert "it must be at least -0.01, and chance is no explanation" in check.reason
    assert not found.blessed
    failed = {(check.metric, check.slice) for check in found.checks if not check.passed}
    assert {("accuracy", "class=red"), ("accuracy", "class=blue"), ("cross_entropy", "overall")} <= failed
    assert ("accuracy", "class=green") not in failed


def test_a_better_model_passes_and_both_are_on_file(
    workspace: Workspace, tiny: Examples, good: Model, bad: Model
) -> None:
    found: Evaluation = scanning.run(evaluate(shard_examples=20), against(workspace, bad), tiny, good)
    assert found.blessed
    assert found.baseline is not None
    low, high = found.baseline.change_intervals["overall"]["accuracy"]
    assert 0 < low < found.metrics["accuracy"] - found.baseline.metrics["accuracy"] < high
    assert list(found.baseline.slices) == list(found.slices)
    with np.load(workspace.folder / "predictions" / "00000-of-00003.npz") as shard:
        assert shard["baseline_probabilities"].shape == shard["probabilities"].shape == (20, 3)


def test_a_model_is_no_worse_than_itself(workspace: Workspace, tiny: Examples, good: Model) -> None:
    found: Evaluation = scanning.run(evaluate(), against(workspace, good), tiny, good)
    assert found.blessed
    assert found.baseline is not None
    assert found.baseline.metrics == found.metrics
    assert all(check.p_value is not None and check.p_value > 0.5 for check in found.checks if check.of == "change")


def test_a_model_that_never_names_a_class_loses_its_precision(
    workspace: Workspace, tiny: Examples, good: Model, bad: Model
) -> None:
    thresholds = {"precision": {"slices": {"class=red": {"change": {"min_images": 10}}}}}
    found: Evaluation = scanning.run(evaluate(thresholds), against(workspace, good), tiny, bad)
    assert not found.blessed
    (reason,) = found.reasons
    assert reason.startswith("precision of class=red went from ")
    assert reason.endswith(" The model names no image as this class, which counts as 0.")
    assert found.intervals["class=red"]["precision"] == (0, 1)


def test_without_a_baseline_changes_pass_and_say_why(workspace: Workspace, tiny: Examples, good: Model) -> None:
    found: Evaluation = scanning.run(evaluate(), workspace, tiny, good)
    assert found.blessed
    assert found.baseline is None
    check = next(check for check in found.checks if check.of == "change")
    assert check.reason == (
        "The change of accuracy is not judged: no version was published before this model, so there is nothing to "
        "compare with."
    )


def test_slices_with_few_images_are_not_judged(workspace: Workspace, tiny: Examples, good: Model, bad: Model) -> None:
    thresholds = {"accuracy": {"each_class": {"change": {"min_images": 17}}}}
    found: Evaluation = scanning.run(evaluate(thresholds), against(workspace, good), tiny, bad)
    assert found.blessed
    assert found.checks[1].reason == ("The change of accuracy of class=red is not judged: 16 images are fewer than 17.")


def test_a_version_of_other_classes_is_no_baseline(workspace: Workspace, tiny: Examples, good: Model) -> None:
    other = good.model_copy(update={"class_names": ("green", "red", "blue")})
    found: Evaluation = scanning.run(evaluate(), against(workspace, other), tiny, good)
    assert found.baseline is None
    assert "not judged: all published versions tell other classes apart" in found.checks[2].reason


def test_the_best_version_of_the_same_classes_is_the_baseline(
    workspace: Workspace, tiny: Examples, good: Model
) -> None:
    """However good an old version of other classes was."""
    other = good.model_copy(update={"class_names": ("green", "red", "blue")})
    for number, accuracy, model in ((1, 0.99, other), (2, 0.5, good), (3, 0.7, good), (4, 0.6, good)):
        publish(workspace.root / "pushed", number, f"{number}{number}", accuracy, model)
    fingerprint = evaluate().fingerprint(workspace.root, {"model": "55"})
    assert fingerprint == "11:1 33:1"
    found = find_baseline(dataclasses.replace(workspace, fingerprint=fingerprint), tiny, good)
    assert found.version is not None
    assert (found.version.number, found.words) == (3, "version 3")


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": "train+test[:1]", "test": "test[1:]"}, "version 3 (which learned from images of this split)"),
        ({"train": "train[:10%]", "test": "test"}, "version 3"),
    ],
)
def test_a_baseline_that_has_seen_the_images_is_said_to(
    workspace: Workspace, tiny: Examples, good: Model, bad: Model, splits: dict[str, str], words: str
) -> None:
    old = tiny.model_copy(update={"splits": splits})
    publish(workspace.root / "pushed", 3, "33", 0.8, good, examples=old)
    found: Evaluation = scanning.run(evaluate(), dataclasses.replace(workspace, fingerprint="33"), tiny, bad)
    check = next(check for check in found.checks if check.of == "change")
    assert f" in {words} to 0.3333" in check.reason


def test_a_baseline_that_is_rolled_back_meanwhile_ends_the_run(
    workspace: Workspace, tiny: Examples, good: Model
) -> None:
    workspace = dataclasses.replace(against(workspace, good), fingerprint="33")
    list(evaluate().list_shards(workspace, tiny, good))
    publish(workspace.root / "pushed", 2, "22", 0.7, good)
    roll_back(workspace.root / "pushed")
    with pytest.raises(
        ComponentError,
        match=r"to be compared with \(of the model 33\) was there when the evaluation began, .* Run again",
    ):
        evaluate().combine(workspace, [], tiny, good)


def test_what_is_published_is_not_held_up_by_a_baseline_that_has_gone(
    workspace: Workspace, tiny: Examples, good: Model
) -> None:
    publish(workspace.root / "pushed", 5, "55", 0.8, good, baseline="33")
    model = good.model_copy(update={"digest": "55"})
    found = find_baseline(dataclasses.replace(workspace, fingerprint="33"), tiny, model)
    assert found.version is None
    assert "the version that it was compared with before is no longer there" in found.words


def test_a_version_that_cannot_be_loaded_is_named(workspace: Workspace, tiny: Examples, good: Model) -> None:
    workspace = against(workspace, good)
    (workspace.root / "pushed" / "3" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(
        ComponentError, match=r"Version 3, which this model is to be compared with, cannot be loaded from .*"
    ):
        list(evaluate().list_shards(workspace, tiny, good))


def test_the_key_knows_the_baseline(tmp_path: Path) -> None:
    component = evaluate()
    assert component.fingerprint(tmp_path, {"model": "44"}) == ""
    publish(tmp_path / "pushed", 3, "33", 0.8)
    assert component.fingerprint(tmp_path, {"model": "44"}) == "33:1"
    publish(tmp_path / "pushed", 4, "44", 0.9, baseline="33:1")
    assert component.fingerprint(tmp_path, {"model": "44"}) == "33:1"
    assert component.fingerprint(tmp_path, {"model": "55"}) == "44:1"


def test_the_baseline_comes_with_the_number_of_its_contenders(
    workspace: Workspace, tiny: Examples, good: Model, bad: Model
) -> None:
    """As they were when the evaluation began, whatever is published meanwhile."""
    for number, accuracy in ((1, 0.79), (2, 0.8), (3, 0.5)):
        publish(workspace.root / "pushed", number, f"{number}{number}", accuracy, good)
    workspace = dataclasses.replace(workspace, fingerprint=evaluate().fingerprint(workspace.root, {"model": "55"}))
    publish(workspace.root / "pushed", 4, "44", 0.81, good)
    assert find_baseline(workspace, tiny, bad).contenders == 2
    found: Evaluation = scanning.run(evaluate(), workspace, tiny, bad)
    check = next(check for check in found.checks if check.of == "change")
    assert " in version 2 to 0.3333" in check.reason
    assert "for the best of 2 versions, 48 images)." in check.reason
