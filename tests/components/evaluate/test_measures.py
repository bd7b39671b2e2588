"""What the gate makes of classes with few images, among many others."""

from __future__ import annotations

import numpy as np
import pytest

from components.artifacts import Check
from components.evaluate.bounds import Gain, Limit
from components.evaluate.gate import Measured, judge
from components.evaluate.measures import Measure, measure
from components.evaluate.prediction import Predictions

NAMES = ("common", "rare", "other")
COUNT = 10_000


def said(scores: np.ndarray) -> np.ndarray:
    """Probabilities, float32 (n, 3), of which the largest is that of the answer."""
    return (np.eye(3)[scores] * 0.7 + 0.1).astype(np.float32)


def measures_of(labels: np.ndarray, model: np.ndarray, baseline: np.ndarray) -> dict[tuple[str, str], Measure]:
    found = measure(Predictions(labels, said(model), said(baseline), {}), NAMES, 5)
    return {(each.slice, each.metric): each for each in found}


def check(measures: dict[tuple[str, str], Measure], metric: str, slice_: str, **bound: float) -> Check:
    limit = Limit(metric, slice_, "min", 0.0, Gain.model_validate(bound))
    (found,) = judge([limit], Measured({}, measures, "version 3", has_baseline=True))
    return found


@pytest.fixture
def labels() -> np.ndarray:
    """One of 10,000 images is of the class `rare`."""
    return np.where(np.arange(COUNT) == 0, 1, np.arange(COUNT) % 2 * 2)


@pytest.mark.parametrize("metric", ["precision", "f1", "auc", "recall"])
def test_a_class_of_one_image_is_not_judged(labels: np.ndarray, metric: str) -> None:
    """The baseline says `rare` once and is right, the model says it once and is wrong: not more than one image."""
    model, baseline = labels.copy(), labels.copy()
    model[:2] = 0, 1
    found = check(measures_of(labels, model, baseline), metric, "class=rare")
    assert found.passed
    assert found.reason == f"The change of {metric} of class=rare is not judged: 1 images are fewer than 30."


@pytest.mark.parametrize("metric", ["precision", "recall"])
def test_one_answer_each_proves_nothing_whatever_is_asked(labels: np.ndarray, metric: str) -> None:
    model, baseline = labels.copy(), labels.copy()
    model[:2] = 0, 1
    found = check(measures_of(labels, model, baseline), metric, "class=rare", min_images=1)
    assert found.passed
    assert found.value == -1
    assert "chance may explain the rest" in found.reason


def test_the_mean_over_classes_rests_on_the_smallest(labels: np.ndarray) -> None:
    model = labels.copy()
    model[0] = 0
    found = check(measures_of(labels, model, labels), "auc", "overall")
    assert found.value < -0.1
    assert found.reason == "The change of auc is not judged: 1 images are fewer than 30."


def test_precision_rests_on_what_the_models_say() -> None:
    """500 images of the class, of which the model finds 20 and the baseline all."""
    labels = np.where(np.arange(COUNT) < 500, 1, 0)
    model = np.where(np.arange(COUNT) < 20, 1, 0)
    measures = measures_of(labels, model, labels)
    images = {metric: measures["class=rare", metric].change for metric in ("precision", "recall", "f1", "auc")}
    assert {metric: change and change.images for metric, change in images.items()} == {
        "precision": 20,
        "recall": 500,
        "f1": 500,
        "auc": 500,
    }
    assert check(measures, "precision", "class=rare").passed
    assert not check(measures, "f1", "class=rare").passed
    assert not check(measures, "recall", "class=rare").passed


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_a_class_that_the_model_never_gets_right_is_not_precise(labels: np.ndarray, wrong: int) -> None:
    """The baseline names 60 images as the class, the model none, or a few that are not of it."""
    labels[:60] = 1
    model = np.where(labels == 1, 0, labels)
    model[100 : 100 + wrong] = 1
    baseline = labels.copy()
    baseline[100:110] = 1
    measures = measures_of(labels, model, baseline)
    found = check(measures, "precision", "class=rare")
    assert not found.passed
    assert found.reason.startswith("precision of class=rare went from 0.8571 in version 3 to 0, -0.8571 (")
    assert "it must be at least 0, and chance is no explanation (p = " in found.reason
    said_so = found.reason.endswith("70 images). The model names no image as this class, which counts as 0.")
    assert said_so == (wrong == 0)
    assert measures["class=rare", "precision"].interval == (0, 0 if wrong else 1)


def test_a_baseline_that_is_always_right_is_no_way_out(labels: np.ndarray) -> None:
    labels[:60] = 1
    model = np.where(labels == 1, 0, labels)
    assert not check(measures_of(labels, model, labels), "precision", "class=rare").passed


def test_saying_a_class_seldom_does_not_keep_its_precision_from_being_judged(labels: np.ndarray) -> None:
    """The model names 20 images as the class, fewer than min_images, and is right on 4 of them."""
    labels[:60] = 1
    model = np.where(labels == 1, 0, labels)
    model[:4] = model[100:116] = 1
    found = check(measures_of(labels, model, labels), "precision", "class=rare")
    assert not found.passed
    assert "went from 1 in version 3 to 0.2" in found.reason
    assert found.reason.endswith("20 images).")


def test_a_baseline_that_never_says_a_class_has_no_precision_to_lose(labels: np.ndarray) -> None:
    labels[:60] = 1
    never = np.where(labels == 1, 0, labels)
    for model in (labels, never):
        found = check(measures_of(labels, model, never), "precision", "class=rare")
        assert found.passed
        assert found.reason == "The change of precision of class=rare is not judged: 0 images are fewer than 30."


def test_a_bound_on_a_figure_says_why_it_is_0(labels: np.ndarray) -> None:
    model = np.where(labels == 1, 0, labels)
    findings = Measured(
        {"class=rare": {"precision": 0.0}}, measures_of(labels, model, labels), "version 3", has_baseline=True
    )
    (found,) = judge([Limit("precision", "class=rare", "min", 0.5)], findings)
    assert not found.passed
    assert found.interval == (0, 1)
    assert found.reason == (
        "precision of class=rare is 0: it must be at least 0.5. "
        "The model names no image as this class, which counts as 0."
    )


def test_a_slice_without_images_has_nothing_to_compare(labels: np.ndarray) -> None:
    found = check(measures_of(labels[1:], labels[1:], labels[1:]), "recall", "class=rare")
    assert found.passed
    assert found.reason == (
        "The change of recall of class=rare is not judged: version 3 has no such figure on these images."
    )


def test_the_best_of_many_is_judged_by_a_corrected_p_value(labels: np.ndarray) -> None:
    """40 lost and 23 gained is a loss that chance hardly shows, but for the luckiest of 12 versions."""
    model, baseline = labels.copy(), labels.copy()
    baseline[:23] = model[100:140] = 1
    measures = measures_of(labels, model, baseline)
    limit = Limit("accuracy", "overall", "min", 0.0, Gain())
    alone, chosen = (
        next(judge([limit], Measured({}, measures, "version 3", True, contenders))) for contenders in (1, 12)
    )
    assert alone.p_value is not None
    assert alone.p_value < 0.05
    assert not alone.passed
    assert chosen.p_value == pytest.approx(12 * alone.p_value)
    assert chosen.passed
    assert "chance is no explanation (p = 0.015, 10000 images)." in alone.reason
    assert "chance may explain the rest (p = 0.18 for the best of 12 versions, 10000 images)." in chosen.reason


def test_slices_and_contenders_are_both_corrected_for(labels: np.ndarray) -> None:
    model = labels.copy()
    model[2:30:2] = 1  # of the class `common`; of `rare` there are too few images to judge
    measures = measures_of(labels, model, labels)
    limits = [Limit("recall", f"class={name}", "min", 0.0, Gain()) for name in NAMES]
    common, rare, other = judge(limits, Measured({}, measures, "version 3", True, contenders=10))
    assert (common.p_value, rare.p_value, other.p_value) == (pytest.approx(2 * 10 * 0.5**14), None, 1)


def test_a_class_with_enough_images_is_judged(labels: np.ndarray) -> None:
    labels[:60] = 1
    model = labels.copy()
    model[:40] = 0
    for metric in ("f1", "auc", "recall"):
        found = check(measures_of(labels, model, labels), metric, "class=rare")
        assert not found.passed
        assert found.reason.endswith("60 images).")
