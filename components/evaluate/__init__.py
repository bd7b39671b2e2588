"""Evaluate: what the model does on images that it has never seen, and whether that is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from components.artifacts import Artifact, Evaluation
from components.component import Config, ShardedComponent, Workspace
from components.evaluate.thresholds import Thresholds
from components.registry.layout import pushed_folder
from components.registry.versions import baseline_digests

if TYPE_CHECKING:
    import apache_beam as beam


class EvaluateConfig(Config):
    """What is measured, and what is asked of it."""

    thresholds: Thresholds = Field(description="all must hold for a model to be blessed")
    slice_by: tuple[str, ...] = Field(
        default=("brightness", "contrast", "size"),
        strict=False,
        description="beside the class: brightness, contrast, size, folder (of the feature `file`), or any feature of "
        "the dataset with whole numbers or text",
    )
    top_k: int = Field(default=5, ge=2, description="for top_k_accuracy, where there are more classes than that")
    caption_precision: float = Field(
        default=0.95, gt=0, lt=1, description="of the images whose class is named in a caption, how many must be right"
    )
    batch_size: int = Field(default=250, gt=0, description="images that are predicted at once")
    shard_examples: int = Field(default=1000, gt=0, description="images that one worker predicts at a time")

    @field_validator("slice_by")
    @classmethod
    def _check_slice_by(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "class" in names:
            raise ValueError('"class" is always sliced by: leave it out. A feature of that name cannot be; rename it')
        return names


@dataclass(frozen=True)
class Evaluate(ShardedComponent):
    """Predicts the test split once, has TensorFlow Model Analysis measure, and judges."""

    name: ClassVar[str] = "evaluate"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "model")
    reads: ClassVar[str] = "the published version to compare with"
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Evaluation
    config: EvaluateConfig

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str:
        """The digests of the published models that this one may be compared with; empty if there are none."""
        return baseline_digests(pushed_folder(root), inputs.get("model"))

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Spans of the test split. Raises ComponentError where model, examples and thresholds do not fit together."""
        from components.evaluate.planning import plan

        examples, model = inputs
        return plan(workspace, examples, model, self.config)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """`Predicted`, one a shard, and `Figures`, some for every slice."""
        from components.evaluate.analysis import scan

        return scan(shards, self.config.top_k, self.config.slice_by)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Evaluation:
        """Raises ComponentError if not every image was predicted and measured exactly once."""
        from components.evaluate.verdict import gather

        examples, model = inputs
        return gather(workspace, results, examples, model, self.config)
