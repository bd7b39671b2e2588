"""Looks for what is wrong with the images and their labels: near copies, wrong labels and odd images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact
from components.component import ComponentConfig, ShardedComponent, Workspace
from components.findings import Findings

if TYPE_CHECKING:
    import apache_beam as beam


class InspectConfig(ComponentConfig):
    """The config of inspect: what is done about near copies, and how the images are scanned."""

    near_copies_across_splits: Literal["ignore", "warn", "keep_together", "fail"] = Field(
        default="warn",
        description="What happens if a test image has a near copy in train or validation: the same picture saved "
        "again, scaled, cropped, mirrored, brighter, darker, or with a border. keep_together warns, and notes all near "
        "copies of a folder of photos as the same in ingest.corrections, so that the next run draws no split that cuts "
        "a group.",
    )
    shard_examples: int = Field(default=500, gt=0, description="The number of images in one shard of the scan.")

    def identity(self) -> dict[str, Any]:
        """Returns the keys that decide what is found: how the work is cut does not."""
        identity = super().identity()
        del identity["shard_examples"]
        return identity


@dataclass(frozen=True)
class Inspect(ShardedComponent):
    """The component that makes Findings: `(examples, embeddings) | Inspect(config)`. All splits must be embedded."""

    name: ClassVar[str] = "inspect"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "embeddings")
    artifact: ClassVar[type[Artifact]] = Findings
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "numpy", "scipy")
    config: InspectConfig

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Returns spans of every split. Raises ComponentError if the vectors of a split are missing."""
        from components.inspect.scan import plan

        examples, embeddings = inputs
        return plan(workspace, examples, embeddings, self.config.shard_examples)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph that writes what the finders need of the pixels, a file for each shard."""
        from components.inspect.scan import scan

        return scan(shards)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Findings:
        """Makes the Findings.

        Raises ComponentError if not every image was scanned, and for what the config says must fail.
        """
        from components.inspect.gather import gather

        examples, embeddings = inputs
        return gather(workspace, results, examples, embeddings, self.config)
