"""Normalize: what the images look like, and whether they can be trusted, in one pass on Beam."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact, Examples, Statistics
from components.component import Config, ShardedComponent, Workspace

if TYPE_CHECKING:
    import apache_beam as beam

Action = Literal["ignore", "warn", "fail"]


class Checks(Config):
    """What is done about a finding."""

    empty_class: Action = Field(default="fail", description="a class without training images")
    empty_test_class: Action = Field(default="warn", description="a class without images to evaluate on")
    label_out_of_range: Action = Field(default="fail", description="a label that is no index of a class name")
    leakage: Action = Field(default="fail", description="images to evaluate on that are also trained or tuned on")
    drift: Action = Field(default="warn", description="training images unlike those of the best published version")
    max_channel_drift: float = Field(
        default=0.5, gt=0, description="change of a channel's mean or deviation, in units of the old deviation"
    )
    max_class_drift: float = Field(
        default=0.2, gt=0, le=1, description="fraction of images that would be of another class, were all as before"
    )


class NormalizeConfig(Config):
    """How the images are scanned and what is checked."""

    shard_examples: int = Field(default=4096, gt=0, description="images that one worker scans at a time")
    checks: Checks = Checks()


@dataclass(frozen=True)
class Normalize(ShardedComponent):
    """Channel and patch statistics, class counts, sizes and duplicates of every split."""

    name: ClassVar[str] = "normalize"
    inputs: ClassVar[tuple[str, ...]] = ("examples",)
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Statistics
    config: NormalizeConfig

    def list_shards(self, workspace: Workspace, *inputs: Examples) -> Iterable[Any]:
        """Spans of every split."""
        from components.normalize.scan import plan

        (examples,) = inputs
        return plan(examples, self.config.shard_examples)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """`Found`, per split, and `Duplicates` over all splits."""
        from components.normalize.scan import scan

        return scan(shards)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Examples) -> Statistics:
        """Raises ComponentError for what `checks` say must fail, and for a split without images."""
        from components.normalize.findings import gather

        (examples,) = inputs
        return gather(workspace, results, examples, self.config.checks)
