"""Defines the thresholds of the gate, as they are written in a config:

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
    """The bound on a figure's change from the baseline. The check fails if chance does not explain the change."""

    confidence: float = Field(
        default=0.95,
        ge=0.5,
        lt=1,
        description="How often a model that is just good enough passes, as a fraction of 1; chance fails the rest.",
    )
    min_images: int = Field(
        default=30,
        ge=1,
        description="The smallest number of images that the baseline's figure must rest on, or its change is not "
        "judged: those of the slice; for precision, those that the baseline names as the class.",
    )


class Gain(ChangeBound):
    """The bound on the change of a figure that should be high."""

    min: Difference = Field(
        default=0.0,
        description="The smallest allowed difference from the baseline, as a fraction of 1; -0.01 allows one "
        "percentage point less.",
    )


class Rise(ChangeBound):
    """The bound on the change of a figure that should be low."""

    max: float = Field(
        default=0.0, description="The largest allowed difference from the baseline, in the metric's own units."
    )


class Bound(Config):
    """The bounds on a figure; there is no bound if both are left out."""

    min: NotNegative | None = Field(default=None, description="The smallest value that passes; null sets no bound.")
    max: NotNegative | None = Field(default=None, description="The largest value that passes; null sets no bound.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing could pass")
        return self


class FractionBound(Bound):
    """The bounds on a figure between 0 and 1 that should be high."""

    min: Fraction | None = Field(default=None, description="The smallest value that passes; null sets no bound.")
    max: Fraction | None = Field(default=None, description="The largest value that passes; null sets no bound.")
    change: Gain | None = Field(
        default=None, description="The bound on the difference from the baseline; null sets no bound."
    )


class ErrorBound(Bound):
    """The bounds on a figure between 0 and 1 that should be low."""

    min: Fraction | None = Field(default=None, description="The smallest value that passes; null sets no bound.")
    max: Fraction | None = Field(default=None, description="The largest value that passes; null sets no bound.")
    change: Rise | None = Field(
        default=None, description="The bound on the difference from the baseline; null sets no bound."
    )


class LossBound(Bound):
    """The bounds on a figure of any size that should be low."""

    change: Rise | None = Field(
        default=None, description="The bound on the difference from the baseline; null sets no bound."
    )


class FractionThreshold(FractionBound):
    """The bounds on a figure between 0 and 1 that should be high: overall, for each class, and for named slices."""

    each_class: FractionBound = Field(default=FractionBound(), description="The bounds on the figure of every class.")
    slices: dict[str, FractionBound] = Field(
        default_factory=dict,
        description='The bounds on the figure of single slices, by name such as "brightness=dark".',
    )


class ErrorThreshold(ErrorBound):
    """The bounds on a figure between 0 and 1 that should be low: overall, for each class, and for named slices."""

    each_class: ErrorBound = Field(default=ErrorBound(), description="The bounds on the figure of every class.")
    slices: dict[str, ErrorBound] = Field(
        default_factory=dict,
        description='The bounds on the figure of single slices, by name such as "brightness=dark".',
    )


class LossThreshold(LossBound):
    """The bounds on a figure of any size that should be low: overall, for each class, and for named slices."""

    each_class: LossBound = Field(default=LossBound(), description="The bounds on the figure of every class.")
    slices: dict[str, LossBound] = Field(
        default_factory=dict,
        description='The bounds on the figure of single slices, by name such as "brightness=dark".',
    )


class ClassThreshold(Config):
    """The bounds on a figure of a class that should be high: for each class, and for named classes."""

    each_class: FractionBound = Field(default=FractionBound(), description="The bounds on the figure of every class.")
    slices: dict[str, FractionBound] = Field(
        default_factory=dict,
        description='The bounds on the figure of single slices, by name such as "brightness=dark".',
    )


class Limit(NamedTuple):
    """One bound, such as `min` 0.75 on the accuracy in the slice "overall". With `change`, it bounds the change."""

    metric: str
    slice: str
    side: Side
    value: float
    change: ChangeBound | None = None


class Thresholds(Config):
    """The thresholds of the gate, by metric. At least one metric must have a bound."""

    accuracy: FractionThreshold = Field(
        default=FractionThreshold(), description="Bounds the fraction of images whose most probable class is right."
    )
    cross_entropy: LossThreshold = Field(
        default=LossThreshold(),
        description="Bounds the mean negative logarithm of the right class's probability, in nats.",
    )
    top_k_accuracy: FractionThreshold = Field(
        default=FractionThreshold(),
        description="Bounds the fraction of images whose right class is among the evaluate.top_k most probable ones.",
    )
    auc: FractionThreshold = Field(
        default=FractionThreshold(),
        description="Bounds the area under the ROC curve of each class against the rest, 0 to 1; overall, their mean.",
    )
    expected_calibration_error: ErrorThreshold = Field(
        default=ErrorThreshold(),
        description="Bounds the mean distance between confidence and accuracy in bins of equal width, 0 to 1.",
    )
    precision: ClassThreshold = Field(
        default=ClassThreshold(), description="Bounds the fraction of images named as a class that are of that class."
    )
    recall: ClassThreshold = Field(
        default=ClassThreshold(), description="Bounds the fraction of a class's images that are named as that class."
    )
    f1: ClassThreshold = Field(
        default=ClassThreshold(), description="Bounds the harmonic mean of a class's precision and recall, 0 to 1."
    )

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
        """Yields every bound, by metric; those for all images come first."""
        for metric in type(self).model_fields:
            name = top_k_metric(top_k) if metric == "top_k_accuracy" else metric
            yield from _limits(name, getattr(self, metric), class_names)


def top_k_metric(top_k: int) -> str:
    """Returns the name of the metric: "top_5_accuracy" for 5."""
    return f"top_{top_k}_accuracy"


def class_slice(class_name: str) -> str:
    """Returns the name of a class's slice."""
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
