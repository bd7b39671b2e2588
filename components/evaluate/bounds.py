"""Defines the bounds that a config may set on one metric of a model: overall, for classes, and for slices."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

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
