"""What the gate makes of classes with few images, among many others."""

from __future__ import annotations

import numpy as np
import pytest

from components.artifacts import Check
from components.evaluate.gate import Findings, judge
from components.evaluate.measures import Measure, measure
from components.evaluate.prediction import Predictions
from components.evaluate.thresholds import Gain, Limit

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
    (found,) = judge([limit], Findings({}, measures, "version 3", has_baseline=True))
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


def test_a_class_with_enough_images_is_judged(labels: np.ndarray) -> None:
    labels[:60] = 1
    model = labels.copy()
    model[:40] = 0
    for metric in ("f1", "auc", "recall"):
        found = check(measures_of(labels, model, labels), metric, "class=rare")
        assert not found.passed
        assert found.reason.endswith("60 images).")
