from __future__ import annotations

import math

import pytest

from components.artifacts import StartedFrom
from components.evaluate.bounds import Limit
from components.evaluate.gate import Measured, check_finite, check_unseen, judge


def findings(figures: dict[str, dict[str, float]]) -> Measured:
    return Measured(figures, {}, "no version was published before this model", has_baseline=False)


@pytest.mark.parametrize(
    ("limit", "value", "passed", "reason"),
    [
        (Limit("accuracy", "overall", "min", 0.75), 0.812, True, "accuracy is 0.812, at least 0.75 as asked."),
        (Limit("accuracy", "overall", "min", 0.75), 0.75, True, "accuracy is 0.75, at least 0.75 as asked."),
        (Limit("accuracy", "overall", "min", 0.75), 0.7, False, "accuracy is 0.7: it must be at least 0.75."),
        (
            Limit("accuracy", "overall", "min", 0.75),
            0.7499999,
            False,
            "accuracy is 0.7499999: it must be at least 0.75.",
        ),
        (
            Limit("cross_entropy", "overall", "max", 1.5),
            1.50001,
            False,
            "cross_entropy is 1.50001: it must be at most 1.5.",
        ),
        (Limit("recall", "class=cat", "min", 0.5), 1.0, True, "recall of class=cat is 1, at least 0.5 as asked."),
        (
            Limit("recall", "class=cat", "min", 0.5),
            math.nan,
            False,
            "recall of class=cat is not a number. It must be at least 0.5.",
        ),
        (
            Limit("recall", "class=cat", "max", 0.5),
            math.nan,
            False,
            "recall of class=cat is not a number. It must be at most 0.5.",
        ),
        (Limit("cross_entropy", "overall", "max", 9), math.inf, False, "cross_entropy is inf: it must be at most 9."),
    ],
)
def test_every_limit_is_told_in_words(limit: Limit, value: float, passed: bool, reason: str) -> None:
    (check,) = judge([limit], findings({limit.slice: {limit.metric: value}}))
    assert (check.passed, check.reason) == (passed, reason)
    assert check.bound == f"{'>=' if limit.side == 'min' else '<='} {limit.value:g}"


def test_images_that_may_have_been_seen_are_told_of() -> None:
    (check,) = check_unseen(StartedFrom(version=3, doubt="it was made with other data"))
    assert check.passed
    assert check.reason == (
        "Whether the model has seen these images is not known. Training began with version 3: it was made with other "
        "data."
    )
    assert not list(check_unseen(StartedFrom(version=3)))
    assert not list(check_unseen(None))


def test_a_slice_without_images_does_not_pass() -> None:
    (check,) = judge([Limit("f1", "class=<b>", "min", 0.0)], findings({"overall": {"f1": 1.0}}))
    assert not check.passed
    assert math.isnan(check.value)
    assert check.reason == "f1 of class=<b> is unknown: the test split has no such image. It must be at least 0."


def test_probabilities_that_are_no_numbers_never_pass() -> None:
    assert check_finite(0, 48).passed
    diverged = check_finite(3, 48)
    assert not diverged.passed
    assert diverged.reason == "The probabilities of 3 of 48 images are not finite numbers: the training diverged."
