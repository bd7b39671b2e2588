"""Push: publishes what is blessed, as a SavedModel and for phones, each file proven against the evaluated model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from components.artifacts import Evaluation, Examples, Model
from components.artifacts import Push as Published
from components.component import Component, Config, Workspace

Variant = Literal[
    "float16",
    "float32",
    "int8",
    "palettized8",
    "palettized6",
    "palettized4",
    "pruned",
    "neuralnetwork",
    "neuralnetwork_float16",
    "litert",
]
Fraction = Annotated[float, Field(ge=0, le=1)]


class PushConfig(Config):
    """What is published beside the SavedModel, and how much it may differ from the evaluated model."""

    variants: tuple[Variant, ...] = Field(default=("float16",), description="Core ML and LiteRT files; may be empty.")
    deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = Field(
        default="iOS15", description="Oldest iOS for ML programs; compressed ones need iOS16 or newer and say so."
    )
    sparsity: float = Field(
        default=0.5, gt=0, lt=1, description="Fraction of weights that the variant `pruned` zeroes."
    )
    min_agreement: Fraction = Field(
        default=0.999, description="Images with the same top class, for files with float weights."
    )
    max_probability_difference: Fraction = Field(default=0.02, description="Over all classes, for the same files.")
    max_accuracy_drop: Fraction = Field(default=0.003, description="On the test split, for compressed files.")
    keep: int | None = Field(
        default=10, gt=0, description="how many versions stay, beside those that are pinned and the best one; null: all"
    )
    author: str = ""
    license: str = ""
    description: str = Field(default="", description="One sentence for Xcode; made up from the class names if empty.")

    @field_validator("variants")
    @classmethod
    def _each_once(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if repeated := sorted({variant for variant in variants if variants.count(variant) > 1}):
            raise ValueError(f"each variant once, please; repeated: {', '.join(repeated)}")
        return variants


class Push(Component):
    """(examples, model, evaluation) -> the published version. The images are for proving the exported files."""

    name: ClassVar[str] = "push"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "model", "evaluation")
    artifact: ClassVar[type[Published]] = Published
    reads: ClassVar[str] = "what was withdrawn"
    config: PushConfig

    def identity(self) -> dict[str, Any]:
        """All but `keep`: how long versions stay does not say what is in them."""
        return self.config.model_dump(mode="json", exclude={"keep"})

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Which version of the model was withdrawn, if any: it is not published again."""
        from components.registry.layout import pushed_folder
        from components.registry.staging import find_withdrawn

        version = find_withdrawn(pushed_folder(root), inputs.get("model", ""))
        return "" if version is None else f"withdrawn as version {version}"

    def run(self, workspace: Workspace, examples: Examples, model: Model, evaluation: Evaluation) -> Published:
        """Publishes, finds the version that was published before, or says why nothing is."""
        if not evaluation.blessed:
            return Published(folder=workspace.folder, version=None, reasons=evaluation.reasons).write()
        # It warns, when it is imported, that this is no Mac and that TensorFlow is newer than it knows.
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        from components.push.publish import published

        return published(workspace, self.config, self.identity(), examples, model, evaluation)
