"""Evaluates a model on images that it has never seen, and decides whether it is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from components.artifacts import Artifact, Evaluation
from components.component import ComponentConfig, ShardedComponent, Workspace
from components.evaluate.thresholds import Thresholds
from components.registry.layout import pushed_folder
from components.registry.versions import baselines

if TYPE_CHECKING:
    import apache_beam as beam


class EvaluateConfig(ComponentConfig):
    """The config of evaluate: what is measured, and the thresholds of the gate."""

    thresholds: Thresholds = Field(description="The bounds that a model must meet to be blessed, by metric.")
    slice_by: tuple[str, ...] = Field(
        default=("brightness", "contrast", "size"),
        strict=False,
        description="What the test images are sliced by besides their class: brightness, contrast, size, folder (where "
        "the dataset has a feature `file`), or any feature of the dataset that holds whole numbers or text.",
    )
    top_k: int = Field(
        default=5,
        ge=2,
        description="The k of top_k_accuracy: how many of the most probable classes count; measured only if there are "
        "more classes than that.",
    )
    caption_precision: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="The fraction of images with a class named in their caption whose class must be right.",
    )
    batch_size: int = Field(
        default=250, gt=0, description="The most images that are predicted at once; fewer if they are large."
    )
    shard_examples: int = Field(default=1000, gt=0, description="The number of images in one shard of the prediction.")

    @field_validator("slice_by")
    @classmethod
    def _check_slice_by(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "class" in names:
            raise ValueError('"class" is always sliced by: leave it out. A feature of that name cannot be; rename it')
        if Evaluation.ACROSS_SPLITS in names:
            raise ValueError(f'"{Evaluation.ACROSS_SPLITS}" is sliced by wherever inspect is asked for: leave it out')
        return names


@dataclass(frozen=True)
class Evaluate(ShardedComponent):
    """The component that predicts the test split, measures with TensorFlow Model Analysis, and applies the gate.

    It is `(examples, model) | Evaluate(config)`, or `(examples, model, findings) | Evaluate(config)` where somebody
    looked for what is wrong with the images. Then it measures the test images with and without a near copy in another
    split too.
    """

    name: ClassVar[str] = "evaluate"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "model", "findings")
    reads: ClassVar[str] = "the published version to compare with"
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Evaluation
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "tensorflow-model-analysis", "numpy")
    config: EvaluateConfig

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str:
        """Returns the published models that this one may be compared with, as digests; empty if there are none.

        With each digest goes the number of versions that chance may have made the best.
        """
        return baselines(pushed_folder(root), inputs.get("model"))

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Returns spans of the test split.

        Raises ComponentError if model, examples, findings and thresholds do not fit together.
        """
        from components.evaluate.planning import plan

        examples, model, *findings = inputs
        return plan(workspace, examples, model, self.config, *findings)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph that gives one `Predicted` a shard, and some `Figures` for every slice."""
        from components.evaluate.analysis import scan

        return scan(shards, self.config.top_k)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Evaluation:
        """Makes the Evaluation. Raises ComponentError if not every image was predicted and measured exactly once."""
        from components.evaluate.verdict import gather

        examples, model, *findings = inputs
        return gather(workspace, results, examples, model, self.config, *findings)
