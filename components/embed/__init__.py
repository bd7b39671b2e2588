"""Computes what a pretrained network sees in every image, once: one vector of features for each view of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import Artifact, Embeddings, Examples
from components.component import ComponentConfig, ShardedComponent, Workspace
from components.recipe_choice import choose_recipe

if TYPE_CHECKING:
    import apache_beam as beam

Backbone = Literal["EfficientNetLite0", "EfficientNetLite1", "EfficientNetLite2"]


class EmbedConfig(ComponentConfig):
    """The config of embed: which network looks at the images, at what size, and at which windows of them."""

    backbone: Backbone | None = Field(
        default=None, description="The pretrained network that computes the features; null takes train.backbone."
    )
    image_size_pixels: int | None = Field(
        default=None,
        ge=32,
        description="The height and width to which images are resized for it, in pixels; null takes "
        "train.image_size_pixels, or where that is null, too, the size of the recipe that auto takes.",
    )
    test_split: bool = Field(
        default=False,
        description="Whether the features of the test split are computed too, for those who look for near copies or "
        "drift; train never reads them.",
    )
    random_windows: int = Field(
        default=0,
        ge=0,
        description="The number of random windows of each training image whose features are computed too, for the head "
        "to be fitted on: of 0.35 to 1 of the image's area, from 3/4 to 4/3 as wide as high, one in two mirrored.",
    )
    shard_examples: int = Field(default=500, gt=0, description="The most images that one worker takes at a time.")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose images are looked at: what is trained and calibrated on, and test if it is asked for."""
        return ("train", "validation", "test") if self.test_split else ("train", "validation")

    def identity(self) -> dict[str, Any]:
        """Returns the keys that decide the vectors: how the work is cut does not."""
        identity = super().identity()
        del identity["shard_examples"]
        return identity


class Embed(ShardedComponent):
    """The component that computes Embeddings: `examples | Embed(config)`. Its config names the backbone."""

    name: ClassVar[str] = "embed"
    inputs: ClassVar[tuple[str, ...]] = ("examples",)
    reads: ClassVar[str] = "the pretrained weights"
    artifact: ClassVar[type[Artifact]] = Embeddings
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "numpy")
    config: EmbedConfig

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str:
        """Returns the SHA-256 of the pretrained weights. Raises ComponentError if their package is not installed."""
        from components.backbone.weights import weights_digest

        return weights_digest(self._backbone)

    def list_shards(self, workspace: Workspace, *inputs: Examples) -> Iterable[Any]:
        """Returns spans of the splits, and finds what earlier attempts in this root have computed of their images."""
        from components.embed.features import plan

        (examples,) = inputs
        return plan(workspace, examples, self._backbone, self._image_size_pixels(examples), self.config)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph that writes the vectors of each shard, and gives one `Embedded` for it."""
        from components.embed.features import scan

        return scan(shards)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Examples) -> Embeddings:
        """Makes the Embeddings. Raises ComponentError if not every image has its vectors."""
        from components.embed.features import gather

        (examples,) = inputs
        size = self._image_size_pixels(examples)
        return gather(workspace, results, examples, self._backbone, size, self.config.splits)

    @property
    def _backbone(self) -> Backbone:
        assert self.config.backbone is not None
        return self.config.backbone

    def _image_size_pixels(self, examples: Examples) -> int:
        return self.config.image_size_pixels or choose_recipe(examples).image_size_pixels
