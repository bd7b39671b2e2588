"""Scans the images in one pass on Beam, for their statistics and for defects such as duplicates and leaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact, Examples, Statistics
from components.component import ComponentConfig, Config, ShardedComponent, Workspace

if TYPE_CHECKING:
    import apache_beam as beam

Action = Literal["ignore", "warn", "fail"]


class Checks(Config):
    """The checks of normalize, and what is done about each finding."""

    empty_class: Action = Field(default="fail", description="What happens if a class has no training images.")
    empty_test_class: Action = Field(default="warn", description="What happens if a class has no test images.")
    label_out_of_range: Action = Field(
        default="fail", description="What happens if an image's label is not the index of a class name."
    )
    leakage: Action = Field(
        default="fail", description="What happens if a test image is also, pixel for pixel, in train or validation."
    )
    drift: Action = Field(
        default="warn",
        description="What happens if the training images differ from those of the best published version by more than "
        "max_channel_drift or max_class_drift.",
    )
    max_channel_drift: float = Field(
        default=0.5,
        gt=0,
        description="The largest change of a color channel's mean or standard deviation, in units of the old standard "
        "deviation.",
    )
    max_class_drift: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="The largest fraction of images that may have moved to another class, by the class counts.",
    )


class NormalizeConfig(ComponentConfig):
    """The config of normalize: how the images are scanned, and what is checked."""

    shard_examples: int = Field(default=4096, gt=0, description="The number of images in one shard of the scan.")
    checks: Checks = Field(default=Checks(), description="What happens when the scan finds a problem.")


@dataclass(frozen=True)
class Normalize(ShardedComponent):
    """The component that finds channel and patch statistics, class counts, sizes and duplicates of every split."""

    name: ClassVar[str] = "normalize"
    inputs: ClassVar[tuple[str, ...]] = ("examples",)
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Statistics
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "numpy")
    config: NormalizeConfig

    def list_shards(self, workspace: Workspace, *inputs: Examples) -> Iterable[Any]:
        """Returns spans of every split."""
        from components.normalize.scan import plan

        (examples,) = inputs
        return plan(examples, self.config.shard_examples)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph that gives one `Found` per split, and `Duplicates` over all splits."""
        from components.normalize.scan import scan

        return scan(shards)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Examples) -> Statistics:
        """Makes the Statistics.

        Raises ComponentError for what `checks` say must fail, and for a split without images.
        """
        from components.normalize.findings import gather

        (examples,) = inputs
        return gather(workspace, results, examples, self.config.checks)
