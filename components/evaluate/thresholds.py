"""Defines the thresholds of the gate, as they are written in a config:

{"accuracy": {"min": 0.75, "change": {"min": -0.01}, "each_class": {"min": 0.5}},
 "cross_entropy": {"change": {"max": 0.02}},
 "recall": {"slices": {"class=frog": {"min": 0.6}}},
 "near_copies_across_splits": {"max": 0}}

`min` and `max` bound a figure, `change` bounds its difference from the best published version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field, model_validator
from typing_extensions import Self

from components.artifacts import Evaluation
from components.component import Config
from components.evaluate.bounds import (
    Bound,
    ClassThreshold,
    ErrorThreshold,
    FractionThreshold,
    Gain,
    Limit,
    LossThreshold,
    Rise,
)
from components.evaluate.ceilings import Ceiling, CountCeiling, FractionCeiling

OVERALL = "overall"


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
    near_copies_across_splits: CountCeiling = Field(
        default=CountCeiling(),
        description="Bounds the number of test images with a near copy in train or validation, as inspect finds them.",
    )
    label_issues_fraction: FractionCeiling = Field(
        default=FractionCeiling(),
        description="Bounds the fraction of images, of all splits, whose label looks wrong to inspect.",
    )

    @model_validator(mode="after")
    def _check_that_something_is_said(self) -> Self:
        given = sorted(self.model_fields_set)
        for metric in given:
            threshold = getattr(self, metric)
            if not any(_limits(metric, threshold, ["any"])):
                example = '{"max": 0}' if isinstance(threshold, Ceiling) else '{"each_class": {"min": 0.5}}'
                raise ValueError(f"{metric} says nothing. Give it a bound such as {example}")
        if not given:
            raise ValueError('a gate must say something, such as {"accuracy": {"min": 0.75}}')
        return self

    def limits(self, class_names: Sequence[str], top_k: int) -> Iterator[Limit]:
        """Yields every bound on a metric of the model, by metric; those for all images come first."""
        for metric, threshold in self:
            name = top_k_metric(top_k) if metric == "top_k_accuracy" else metric
            if not isinstance(threshold, Ceiling):
                yield from _limits(name, threshold, class_names)

    def ceilings(self) -> Iterator[Limit]:
        """Yields every bound on what inspect finds."""
        for metric, threshold in self:
            if isinstance(threshold, Ceiling):
                yield from _limits(metric, threshold, ())

    def on_findings(self) -> Iterator[str]:
        """Yields the keys of the bounds that cannot be judged without findings of inspect."""
        yield from (limit.metric for limit in self.ceilings())
        for metric, threshold in self:
            names = {limit.slice for limit in _limits(metric, threshold, ())}
            yield from (
                f"{metric}.slices.{name}" for name in sorted(names) if name.startswith(f"{Evaluation.ACROSS_SPLITS}=")
            )


def top_k_metric(top_k: int) -> str:
    """Returns the name of the metric: "top_5_accuracy" for 5."""
    return f"top_{top_k}_accuracy"


def class_slice(class_name: str) -> str:
    """Returns the name of a class's slice."""
    return f"class={class_name}"


def _limits(
    metric: str,
    threshold: FractionThreshold | ErrorThreshold | LossThreshold | ClassThreshold | Ceiling,
    class_names: Sequence[str],
) -> Iterator[Limit]:
    if isinstance(threshold, Ceiling):
        yield from () if threshold.max is None else (Limit(metric, OVERALL, "max", threshold.max),)
        return
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
