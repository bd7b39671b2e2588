"""Publishes a blessed model as a SavedModel and as files for others, each verified against the evaluated model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from components.artifacts import Artifact, Evaluation, Examples, Model
from components.artifacts import Push as Published
from components.component import Component, ComponentConfig, ComponentError, Workspace
from components.home import expand_home
from components.registry.signing_keys import is_readable_by_others, key_fingerprint, read_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

Variant = Literal[
    "float16",
    "float32",
    "int8",
    "palettized8",
    "palettized6",
    "palettized4",
    "palettized4_grouped",
    "int8_activations",
    "pruned",
    "smallest",
    "neuralnetwork",
    "neuralnetwork_float16",
    "litert",
    "litert_float16",
    "litert_int8",
    "onnx",
]
File = Literal[Variant, "saved_model"]
# Of variants that iOS 16 does not read: an older `push.deployment_target` is refused.
OLDEST_IOS: dict[Variant, str] = {"palettized4_grouped": "iOS18", "int8_activations": "iOS17"}
Fraction = Annotated[float, Field(ge=0, le=1)]


class PushConfig(ComponentConfig):
    """The config of push: what is published beside the SavedModel, and how much it may differ from that model."""

    unrecorded: ClassVar[frozenset[str]] = frozenset({"signing_key"})

    variants: tuple[Variant, ...] = Field(
        default=("float16",),
        description="The Core ML, LiteRT and ONNX files to export beside the SavedModel; may be empty.",
    )
    deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = Field(
        default="iOS15",
        description="The oldest iOS that ML programs run on; compressed variants need iOS16 or newer, int8_activations "
        "iOS17, palettized4_grouped iOS18. The variant smallest takes what it allows.",
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
        description="The largest drop in test accuracy of a compressed file (int8, palettized, pruned, smallest), from "
        "the evaluated model's, as a fraction of 1.",
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
        "and each file its first image, before it is published.",
    )
    measured_runs: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="The most runs of one image by which each file is timed, at 1 and at 2 threads, within a second "
        "each; 0 measures neither time nor memory.",
    )
    max_latency_milliseconds: dict[File, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="The most milliseconds that a file may take for one image, by variant or saved_model: the median "
        "at 1 thread, on the machine that pushes; empty allows any. Core ML files are timed on a Mac only.",
    )
    max_bytes: dict[File, Annotated[int, Field(gt=0)]] = Field(
        default={}, description="The most bytes that a file may have, by variant or saved_model; empty allows any."
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
    signing_key: str | None = Field(
        default=None,
        description="The PEM file of the private key with which versions are signed, on the elliptic curve P-256, "
        "P-384 or P-521; PIPELINE_SIGNING_PASSPHRASE opens an encrypted one. null signs nothing. No record names it.",
    )
    name_machines: bool = Field(
        default=False,
        description="Whether provenance.json names the hosts on which artifacts were made, and the paths of data that "
        "lie outside of the pipeline root.",
    )
    author: str = Field(default="", description="The author that the exported files name.")
    license: str = Field(default="", description="The license that the exported files name.")
    description: str = Field(
        default="", description="One sentence that Xcode and the model card show; empty makes one from the class names."
    )

    @field_validator("variants")
    @classmethod
    def _each_once(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if repeated := sorted({variant for variant in variants if variants.count(variant) > 1}):
            raise ValueError(f"each variant once, please; repeated: {', '.join(repeated)}")
        return variants

    @model_validator(mode="after")
    def _is_read_by_the_target(self) -> Self:
        for variant in self.variants:
            if self.deployment_target < (oldest := OLDEST_IOS.get(variant, "iOS15")):
                raise ValueError(
                    f"{variant} needs deployment_target {oldest} or newer; it is {self.deployment_target}. Set it, or "
                    "leave the variant out"
                )
        return self

    @model_validator(mode="after")
    def _bounds_what_is_published(self) -> Self:
        for name in ("max_bytes", "max_latency_milliseconds"):
            if unknown := sorted(getattr(self, name).keys() - {"saved_model", *self.variants}):
                raise ValueError(f"{name} bounds {', '.join(unknown)}, which variants does not list")
        if self.max_latency_milliseconds and not self.measured_runs:
            raise ValueError("max_latency_milliseconds bounds what is not measured while measured_runs is 0")
        return self


def read_signing_key(path: str | None) -> EllipticCurvePrivateKey | None:
    """Returns the private key at `push.signing_key`; None if there is none. Raises ComponentError if it cannot sign."""
    if path is None:
        return None
    file = expand_home(path, "push.signing_key")
    try:
        return read_private_key(file)
    except ComponentError as error:
        raise ComponentError(f"push.signing_key: {error}.") from None


class Push(Component):
    """The component that publishes a blessed model: (examples, model, evaluation) -> the published version.

    It uses the images to verify the exported files.
    """

    name: ClassVar[str] = "push"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "model", "evaluation")
    artifact: ClassVar[type[Published]] = Published
    reads: ClassVar[str] = "what was withdrawn, or the key that signs,"
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "coremltools", "tf2onnx")
    config: PushConfig

    def identity(self) -> dict[str, Any]:
        """Returns the config without what does not change a version: how many stay, and how soon one must answer."""
        config = self.config.identity()
        for name in ("keep", "max_start_seconds"):
            del config[name]
        return config

    @property
    def names_machines(self) -> bool:
        """Whether the config asks for it."""
        return self.config.name_machines

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Returns which version of the model was withdrawn, or else which key signs it, or "".

        A withdrawn model is not published again. With a new key, the version that is there is signed.

        Raises ComponentError if the packages of a variant are not installed, if a time is bounded that cannot be
        measured here, or if the key cannot sign: before anything is trained.
        """
        if self.config.max_latency_milliseconds:
            from components.push.limits import require_timed

            require_timed(self.config)
        if "onnx" in self.config.variants:
            from components.push.onnx_packages import require_onnx_packages

            require_onnx_packages()
        from components.registry.layout import pushed_folder
        from components.registry.staging import find_withdrawn

        version = find_withdrawn(pushed_folder(root), inputs.get("model", ""))
        key = read_signing_key(self.config.signing_key)
        if version is not None:
            return f"withdrawn as version {version}"
        return "" if key is None else f"signed with {key_fingerprint(key.public_key())}"

    def describe(self, inputs: Mapping[str, Artifact]) -> str:
        """Returns which key signs the version, and whether others may read it; nothing if none does."""
        if self.config.signing_key is None:
            return ""
        file = expand_home(self.config.signing_key, "push.signing_key")
        fingerprint = key_fingerprint(read_private_key(file).public_key())
        open_to_all = "; other users of this machine can read it: chmod 600" if is_readable_by_others(file) else ""
        return f"signed with the key {fingerprint[:12]}{open_to_all}"

    def run(self, workspace: Workspace, examples: Examples, model: Model, evaluation: Evaluation) -> Published:
        """Publishes the model, returns the version published before, or gives the reasons for not publishing."""
        if not evaluation.blessed:
            return Published(folder=workspace.folder, version=None, reasons=evaluation.reasons).write()
        # At its import, coremltools warns that this is no Mac and that TensorFlow is newer than the tested version.
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        from components.push.publish import published

        return published(workspace, self.config, self.identity(), examples, model, evaluation)
