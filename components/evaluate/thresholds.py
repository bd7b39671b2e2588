"""Thresholds of the gate, as a config says them:

{"accuracy": {"min": 0.75, "each_class": {"min": 0.5}}, "recall": {"slices": {"class=frog": {"min": 0.6}}}}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

OVERALL = "overall"

Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]


class Bound(Config):
    """What a figure must hold to; nothing where both are left out."""

    min: NotNegative | None = None
    max: NotNegative | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing could pass")
        return self


class FractionBound(Bound):
    """Of a figure between 0 and 1."""

    min: Fraction | None = None
    max: Fraction | None = None


class FractionThreshold(FractionBound):
    """Of all images, of each class, and of slices by name."""

    each_class: FractionBound = FractionBound()
    slices: dict[str, FractionBound] = Field(default_factory=dict)


class LossThreshold(Bound):
    """Of all images, of each class, and of slices by name."""

    each_class: Bound = Bound()
    slices: dict[str, Bound] = Field(default_factory=dict)


class ClassThreshold(Config):
    """Of each class, and of classes by name."""

    each_class: FractionBound = FractionBound()
    slices: dict[str, FractionBound] = Field(default_factory=dict)


class Limit(NamedTuple):
    """One bound: `min` 0.75 of the accuracy in the slice "overall"."""

    metric: str
    slice: str
    side: str  # "min" or "max"
    value: float


class Thresholds(Config):
    """By metric. At least one must say something."""

    accuracy: FractionThreshold = FractionThreshold()
    cross_entropy: LossThreshold = LossThreshold()
    top_k_accuracy: FractionThreshold = FractionThreshold()
    expected_calibration_error: FractionThreshold = FractionThreshold()
    precision: ClassThreshold = ClassThreshold()
    recall: ClassThreshold = ClassThreshold()
    f1: ClassThreshold = ClassThreshold()

    @model_validator(mode="after")
    def _check_that_something_is_said(self) -> Self:
        given = sorted(self.model_fields_set)
        silent = [metric for metric in given if not any(_limits(metric, getattr(self, metric), ["any"]))]
        if silent:
            raise ValueError(f'{silent[0]} says nothing. Give it a bound such as {{"each_class": {{"min": 0.5}}}}')
        if not given:
            raise ValueError('a gate must say something, such as {"accuracy": {"min": 0.75}}')
        return self

    def limits(self, class_names: Sequence[str], top_k: int) -> Iterator[Limit]:
        """Every bound, by metric, those of all images first."""
        for metric in type(self).model_fields:
            name = top_k_metric(top_k) if metric == "top_k_accuracy" else metric
            yield from _limits(name, getattr(self, metric), class_names)


def top_k_metric(top_k: int) -> str:
    """For 5: "top_5_accuracy"."""
    return f"top_{top_k}_accuracy"


def class_slice(class_name: str) -> str:
    """The name of a class's slice."""
    return f"class={class_name}"


def _limits(
    metric: str, threshold: FractionThreshold | LossThreshold | ClassThreshold, class_names: Sequence[str]
) -> Iterator[Limit]:
    bounds: list[tuple[str, Bound]] = [(OVERALL, threshold)] if isinstance(threshold, Bound) else []
    bounds += [(class_slice(name), threshold.each_class) for name in class_names]
    bounds += threshold.slices.items()
    for slice_, bound in bounds:
        for side in ("min", "max"):
            value = getattr(bound, side)
            if value is not None:
                yield Limit(metric, slice_, side, value)
