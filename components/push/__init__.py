"""Publishes a blessed model as a SavedModel and as files for phones, each verified against the evaluated model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from components.artifacts import Evaluation, Examples, Model
from components.artifacts import Push as Published
from components.component import Component, ComponentConfig, Workspace

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
    "litert_float16",
    "litert_int8",
]
Fraction = Annotated[float, Field(ge=0, le=1)]


class PushConfig(ComponentConfig):
    """The config of push: what is published beside the SavedModel, and how much it may differ from that model."""

    variants: tuple[Variant, ...] = Field(
        default=("float16",), description="The Core ML and LiteRT files to export beside the SavedModel; may be empty."
    )
    deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = Field(
        default="iOS15", description="The oldest iOS that ML programs run on; compressed variants need iOS16 or newer."
    )
    sparsity: float = Field(
        default=0.5, gt=0, lt=1, description="The fraction of weights that the variant `pruned` sets to zero."
    )
    min_agreement: Fraction = Field(
        default=0.999,
        description="The smallest fraction of test images for which a file with float weights must name the same class "
        "as the evaluated model.",
    )
    max_probability_difference: Fraction = Field(
        default=0.02,
        description="The largest difference between a probability of a file with float32 weights and the evaluated "
        "model's, over all test images and classes. With float16 weights, one image in fifty may differ 2.5 times as "
        "much.",
    )
    max_accuracy_drop: Fraction = Field(
        default=0.003,
        description="The largest drop in test accuracy of a compressed file (int8, palettized, pruned), from the "
        "evaluated model's, as a fraction of 1.",
    )
    max_verified_megapixels: float | None = Field(
        default=100,
        gt=0,
        description="The most test images on which files are compared with the evaluated model, in millions of pixels "
        "at the model's size: 100 are 1,992 images of 224 x 224 or 97,656 of 32 x 32. They are drawn evenly over the "
        "split. null takes all.",
    )
    max_start_seconds: float = Field(
        default=120,
        gt=0,
        le=86400,
        description="The most seconds in which a version must load in a fresh process and answer its first requests, "
        "before it is published.",
    )
    card_pictures: int = Field(
        default=12,
        ge=0,
        le=100,
        description="The most wrongly classified test images that the model card for people shows, as small pictures; "
        "0 publishes no image.",
    )
    keep: int | None = Field(
        default=10,
        gt=0,
        description="The number of newest versions that stay, beside the pinned ones and the best one; null keeps all.",
    )
    author: str = Field(default="", description="The author that Core ML files name.")
    license: str = Field(default="", description="The license that Core ML files name.")
    description: str = Field(
        default="", description="One sentence that Xcode and the model card show; empty makes one from the class names."
    )

    @field_validator("variants")
    @classmethod
    def _each_once(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if repeated := sorted({variant for variant in variants if variants.count(variant) > 1}):
            raise ValueError(f"each variant once, please; repeated: {', '.join(repeated)}")
        return variants


class Push(Component):
    """The component that publishes a blessed model: (examples, model, evaluation) -> the published version.

    It uses the images to verify the exported files.
    """

    name: ClassVar[str] = "push"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "model", "evaluation")
    artifact: ClassVar[type[Published]] = Published
    reads: ClassVar[str] = "what was withdrawn"
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "coremltools")
    config: PushConfig

    def identity(self) -> dict[str, Any]:
        """Returns the config without what does not change a version: how many stay, and how soon one must answer."""
        config = self.config.identity()
        for name in ("keep", "max_start_seconds"):
            del config[name]
        return config

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Returns which version of the model was withdrawn, or "". A withdrawn model is not published again."""
        from components.registry.layout import pushed_folder
        from components.registry.staging import find_withdrawn

        version = find_withdrawn(pushed_folder(root), inputs.get("model", ""))
        return "" if version is None else f"withdrawn as version {version}"

    def run(self, workspace: Workspace, examples: Examples, model: Model, evaluation: Evaluation) -> Published:
        """Publishes the model, returns the version published before, or gives the reasons for not publishing."""
        if not evaluation.blessed:
            return Published(folder=workspace.folder, version=None, reasons=evaluation.reasons).write()
        # At its import, coremltools warns that this is no Mac and that TensorFlow is newer than the tested version.
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        from components.push.publish import published

        return published(workspace, self.config, self.identity(), examples, model, evaluation)
