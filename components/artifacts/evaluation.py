"""Defines Evaluation, the predictions of a model and the verdict of the gate."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from components.artifacts.artifact import Artifact, Bounds, Document
from components.artifacts.cross_validated import CrossValidated


class Check(Document):
    """One threshold of the gate, the figure that it bounds, and whether it holds."""

    metric: str
    slice: str  # "overall", or "class=frog"
    of: Literal["value", "change"] = "value"  # whether the figure is bounded, or its change from the baseline
    value: float
    cross_validated: bool = False  # whether the value is that of `Evaluation.cross_validated`
    interval: Bounds | None = None  # 95 % interval of the true value
    bound: str  # ">= 0.75"
    # Of a change: small if chance hardly explains it. Corrected for the number of slices, and of versions that chance
    # may have made the baseline.
    p_value: float | None = None
    passed: bool
    reason: str  # one sentence for people

    @property
    def was_judged(self) -> bool:
        """Whether there was a figure to judge; a check without one passes, and its reason says why."""
        return not self.passed or (not math.isnan(self.value) and (self.of == "value" or self.p_value is not None))


class Caption(Document):
    """The confidence from which on a caption names the class, and how precise such captions are.

    The confidence is chosen on the validation split and measured on the test split. Push writes it into the model card
    as `confidence`; below it, a caption names no class.
    """

    stated_precision: float  # precision that the config asks for: the fraction of named images that are right, 0-1
    confidence: float  # a class is named if its probability is at least this; above 1: no class is ever named
    validation_images: int  # number of images that the confidence was chosen on
    precision: float | None  # on the test split; None if no class is named for any of its images
    interval: Bounds | None  # 95 % interval of that precision
    named_fraction: float  # fraction of the test split's images whose class is named, 0-1


class Baseline(Document):
    """The published version that a model was compared with, on the same images."""

    version: int
    model_digest: str
    metrics: dict[str, float]  # as in Evaluation
    slices: dict[str, dict[str, float]]
    change_intervals: dict[str, dict[str, Bounds]]  # by slice and metric: this model's figure minus the baseline's


class Evaluation(Artifact):
    """Predictions and metrics of a model on the test split, and whether it passes the gate.

    predictions/   00003-of-00010.npz, one a shard, in the split's order: label int64 (n,), probabilities float32
                   (n, classes); digest uint8 (n, 16) of the pixels that the model took; baseline_probabilities of the
                   same shape as probabilities, if there is a baseline; and the values by which images are sliced, such
                   as slice_brightness string (n,)
    """

    # What is sliced by if there are Findings: "yes" for test images with a near copy in another split, "no" for others.
    ACROSS_SPLITS: ClassVar[str] = "near_copy_across_splits"

    blessed: bool
    checks: tuple[Check, ...]
    example_count: int
    metrics: dict[str, float]  # overall
    slices: dict[str, dict[str, float]]  # "class=frog": metrics of that slice
    # 95 % intervals by slice ("overall" too) and metric.
    intervals: dict[str, dict[str, Bounds]] = Field(default_factory=dict)
    # Over the images of the test split and of the model's own `cross_validated`; None if the test split is large enough
    # to judge by alone, or the model has no such figure.
    cross_validated: CrossValidated | None = None
    baseline: Baseline | None = None  # None: no version is published yet, or none with the same classes
    caption: Caption | None = None  # None if there is no validation split
    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]  # rows: the true class; columns: the predicted one

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons why the model was not blessed; empty if it was."""
        return tuple(check.reason for check in self.checks if not check.passed)

    def near_copies(self) -> tuple[dict[str, float], dict[str, float]] | None:
        """Returns the metrics of images without and with a near copy in another split; None unless there are both."""
        rest, copied = (self.slices.get(f"{self.ACROSS_SPLITS}={value}") for value in ("no", "yes"))
        return None if rest is None or copied is None else (rest, copied)

    def summary(self) -> dict[str, Any]:
        """Returns whether the model was blessed, and its metrics over all images."""
        near_copies = self.near_copies()
        return {
            "blessed": self.blessed,
            **self.metrics,
            **({"accuracy_without_near_copies": near_copies[0]["accuracy"]} if near_copies else {}),
            **({"cross_validated_accuracy": self.cross_validated.accuracy} if self.cross_validated else {}),
        }
