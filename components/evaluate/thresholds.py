"""Thresholds of the gate, as a config says them:

{"accuracy": {"min": 0.75, "change": {"min": -0.01}, "each_class": {"min": 0.5}},
 "cross_entropy": {"change": {"max": 0.02}},
 "recall": {"slices": {"class=frog": {"min": 0.6}}}}

`min` and `max` bound a figure, `change` bounds its difference from the best published version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

OVERALL = "overall"

Side = Literal["min", "max"]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Difference = Annotated[float, Field(ge=-1, le=1)]


class ChangeBound(Config):
    """How a figure may differ from the baseline's. It fails where chance is no explanation."""

    confidence: float = Field(default=0.95, ge=0.5, lt=1, description="a model no worse passes this often")
    min_images: int = Field(default=30, ge=1, description="slices with fewer are not judged")


class Gain(ChangeBound):
    """Of a figure that shall be high."""

    min: Difference = 0.0


class Rise(ChangeBound):
    """Of a figure that shall be low."""

    max: float = 0.0


class Bound(Config):
    """What a figure must hold to; nothing where all is left out."""

    min: NotNegative | None = None
    max: NotNegative | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing could pass")
        return self


class FractionBound(Bound):
    """Of a figure between 0 and 1 that shall be high."""

    min: Fraction | None = None
    max: Fraction | None = None
    change: Gain | None = None


class ErrorBound(Bound):
    """Of a figure between 0 and 1 that shall be low."""

    min: Fraction | None = None
    max: Fraction | None = None
    change: Rise | None = None


class LossBound(Bound):
    """Of a figure of any size that shall be low."""

    change: Rise | None = None


class FractionThreshold(FractionBound):
    """Of all images, of each class, and of slices by name."""

    each_class: FractionBound = FractionBound()
    slices: dict[str, FractionBound] = Field(default_factory=dict)


class ErrorThreshold(ErrorBound):
    """Of all images, of each class, and of slices by name."""

    each_class: ErrorBound = ErrorBound()
    slices: dict[str, ErrorBound] = Field(default_factory=dict)


class LossThreshold(LossBound):
    """Of all images, of each class, and of slices by name."""

    each_class: LossBound = LossBound()
    slices: dict[str, LossBound] = Field(default_factory=dict)


class ClassThreshold(Config):
    """Of each class, and of classes by name."""

    each_class: FractionBound = FractionBound()
    slices: dict[str, FractionBound] = Field(default_factory=dict)


class Limit(NamedTuple):
    """One bound: `min` 0.75 of the accuracy in the slice "overall"; or of its change, if there is a `change`."""

    metric: str
    slice: str
    side: Side
    value: float
    change: ChangeBound | None = None


class Thresholds(Config):
    """By metric. At least one must say something."""

    accuracy: FractionThreshold = FractionThreshold()
    cross_entropy: LossThreshold = LossThreshold()
    top_k_accuracy: FractionThreshold = FractionThreshold()
    auc: FractionThreshold = FractionThreshold()
    expected_calibration_error: ErrorThreshold = ErrorThreshold()
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
    metric: str,
    threshold: FractionThreshold | ErrorThreshold | LossThreshold | ClassThreshold,
    class_names: Sequence[str],
) -> Iterator[Limit]:
    bounds: list[tuple[str, Bound]] = [(OVERALL, threshold)] if isinstance(threshold, Bound) else []
    bounds += [(class_slice(name), threshold.each_class) for name in class_names]
    bounds += threshold.slices.items()
    for slice_, bound in bounds:
        yield from _of_one_bound(metric, slice_, bound)


def _of_one_bound(metric: str, slice_: str, bound: Bound) -> Iterator[Limit]:
    if bound.min is not None:
        yield Limit(metric, slice_, "min", bound.min)
    if bound.max is not None:
        yield Limit(metric, slice_, "max", bound.max)
    change = getattr(bound, "change", None)
    if isinstance(change, Gain):
        yield Limit(metric, slice_, "min", change.min, change)
    if isinstance(change, Rise):
        yield Limit(metric, slice_, "max", change.max, change)
