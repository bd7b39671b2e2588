from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from components.evaluate import EvaluateConfig


def config(thresholds: dict[str, Any], **values: Any) -> EvaluateConfig:
    return EvaluateConfig.model_validate({"thresholds": thresholds, **values})


@pytest.mark.parametrize(
    ("thresholds", "place", "text"),
    [
        ({"accuracy": {"min": 75}}, "thresholds.accuracy.min", "less than or equal to 1"),
        ({"recall": {"each_class": {"min": -0.1}}}, "thresholds.recall.each_class.min", "greater than or equal to 0"),
        ({"cross_entropy": {"max": -1}}, "thresholds.cross_entropy.max", "greater than or equal to 0"),
        ({"f1": {"slices": {"class=a": {"max": 2}}}}, "thresholds.f1.slices.class=a.max", "less than or equal to 1"),
        ({"accuracy": {"min": float("nan")}}, "thresholds.accuracy.min", "finite number"),
        ({"accuracy": {"min": "0.7"}}, "thresholds.accuracy.min", "valid number"),
        ({"accuracy": {"min": 0.8, "max": 0.7}}, "thresholds.accuracy", "min 0.8 is above max 0.7: nothing could pass"),
        ({"acuracy": {"min": 0.8}}, "thresholds.acuracy", "Extra inputs are not permitted"),
        ({"recall": {"min": 0.8}}, "thresholds.recall.min", "Extra inputs are not permitted"),
        ({}, "thresholds", 'a gate must say something, such as {"accuracy": {"min": 0.75}}'),
        ({"accuracy": {"change": {"max": 0.0}}}, "thresholds.accuracy.change.max", "Extra inputs"),
        ({"cross_entropy": {"change": {"min": 0.0}}}, "thresholds.cross_entropy.change.min", "Extra inputs"),
        ({"accuracy": {"change": {"confidence": 0.2}}}, "thresholds.accuracy.change.confidence", "or equal to 0.5"),
        ({"auc": {"change": {"min": -2}}}, "thresholds.auc.change.min", "greater than or equal to -1"),
        ({"recall": {}}, "thresholds", 'recall says nothing. Give it a bound such as {"each_class": {"min": 0.5}}'),
        (
            {"accuracy": {"min": 0.5}, "f1": {"each_class": {}}},
            "thresholds",
            'f1 says nothing. Give it a bound such as {"each_class": {"min": 0.5}}',
        ),
        (
            {"near_copies_across_splits": {}},
            "thresholds",
            'near_copies_across_splits says nothing. Give it a bound such as {"max": 0}',
        ),
        ({"near_copies_across_splits": {"max": 0.5}}, "thresholds.near_copies_across_splits.max", "valid integer"),
        ({"label_issues_fraction": {"max": 5}}, "thresholds.label_issues_fraction.max", "less than or equal to 1"),
        ({"label_issues_fraction": {"change": {}}}, "thresholds.label_issues_fraction.change", "Extra inputs"),
    ],
)
def test_impossible_thresholds_are_refused(thresholds: dict[str, Any], place: str, text: str) -> None:
    with pytest.raises(ValidationError) as failure:
        config(thresholds)
    (error,) = failure.value.errors()
    assert ".".join(map(str, error["loc"])) == place
    assert text in error["msg"]


def test_thresholds_must_be_there() -> None:
    with pytest.raises(ValidationError, match="thresholds\n  Field required"):
        EvaluateConfig.model_validate({})


@pytest.mark.parametrize("values", [{"top_k": 1}, {"batch_size": 0}, {"shard_examples": 0}, {"k": 3}])
def test_other_impossible_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        config({"accuracy": {"min": 0.5}}, **values)


def test_slices_by_class_are_not_asked_for() -> None:
    """A feature called so would be taken for the label."""
    with pytest.raises(ValidationError, match='"class" is always sliced by: leave it out'):
        config({"accuracy": {"min": 0.5}}, slice_by=("brightness", "class"))
    with pytest.raises(ValidationError, match='"near_copy_across_splits" is sliced by wherever inspect is asked for'):
        config({"accuracy": {"min": 0.5}}, slice_by=("near_copy_across_splits",))


def test_limits_come_in_the_order_of_metrics_slices_and_sides() -> None:
    thresholds = config(
        {
            "recall": {"each_class": {"min": 0.5}, "slices": {"class=b": {"min": 0.6}}},
            "top_k_accuracy": {"min": 0.9},
            "accuracy": {"min": 0.7, "max": 1},
        }
    ).thresholds
    assert [limit[:4] for limit in thresholds.limits(["a", "b"], top_k=3)] == [
        ("accuracy", "overall", "min", 0.7),
        ("accuracy", "overall", "max", 1),
        ("top_3_accuracy", "overall", "min", 0.9),
        ("recall", "class=a", "min", 0.5),
        ("recall", "class=b", "min", 0.5),
        ("recall", "class=b", "min", 0.6),
    ]


def test_bounds_on_findings_are_no_limits_of_a_metric() -> None:
    slices = {"near_copy_across_splits=no": {"min": 0.9}, "brightness=dark": {"min": 0.5}}
    thresholds = config(
        {"near_copies_across_splits": {"max": 0}, "label_issues_fraction": {"max": 0.1}, "accuracy": {"slices": slices}}
    ).thresholds
    assert [limit.metric for limit in thresholds.limits(["a"], top_k=5)] == ["accuracy", "accuracy"]
    assert [limit[:4] for limit in thresholds.ceilings()] == [
        ("near_copies_across_splits", "overall", "max", 0),
        ("label_issues_fraction", "overall", "max", 0.1),
    ]
    assert list(thresholds.on_findings()) == [
        "near_copies_across_splits",
        "label_issues_fraction",
        "accuracy.slices.near_copy_across_splits=no",
    ]


def test_a_change_is_a_limit_of_its_own() -> None:
    thresholds = config(
        {
            "accuracy": {"min": 0.7, "change": {"min": -0.01, "confidence": 0.9}},
            "expected_calibration_error": {"change": {}},
        }
    ).thresholds
    limits = list(thresholds.limits(["a"], top_k=5))
    assert [limit[:4] for limit in limits] == [
        ("accuracy", "overall", "min", 0.7),
        ("accuracy", "overall", "min", -0.01),
        ("expected_calibration_error", "overall", "max", 0.0),
    ]
    assert [limit.change is not None for limit in limits] == [False, True, True]
    assert limits[1].change is not None
    assert limits[1].change.confidence == 0.9


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, components.evaluate; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "apache_beam", "tensorflow"} & set(found.stdout.split())
