"""The config of a whole pipeline: a JSON file, changed by `--set`, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from typing_extensions import Self

from components.component import ComponentConfig, Config
from components.embed import EmbedConfig
from components.evaluate import EvaluateConfig
from components.evaluate.thresholds import Thresholds
from components.ingest import IngestConfig
from components.ingest.sources import is_folder_of_photos
from components.inspect import InspectConfig
from components.normalize import NormalizeConfig
from components.push import PushConfig
from components.recipe_choice import AUTO
from components.train import TrainConfig
from components.train.recipe import READERS, Recipe
from components.train.recipes import RECIPES, recipe_named
from pipeline.config.document import apply_setting, read_document
from pipeline.config.refusal import describe
from pipeline.errors import UsageError

DEFAULT_PATH = Path("pipeline_config.json")
RECIPE_NAMES = (AUTO, *sorted(RECIPES))
# What a run's record holds of a metric without bounds. Nobody types it, so that it is no forgotten bound.
UNBOUNDED = {name: field.default.model_dump(mode="json") for name, field in Thresholds.model_fields.items()}


class PipelineConfig(Config):
    """One section a component."""

    ingest: IngestConfig = Field(default=IngestConfig(), description="Which images are read, and for what.")
    normalize: NormalizeConfig = Field(default=NormalizeConfig(), description="How the images are scanned and checked.")
    embed: EmbedConfig = Field(
        default=EmbedConfig(),
        description="How the features of a pretrained network are computed, if train or inspect uses them.",
    )
    inspect: InspectConfig | None = Field(
        default=None,
        description="Whether and how near copies, wrong labels and odd images are looked for: {} looks for them, null "
        "does not.",
    )
    train: TrainConfig = Field(default=TrainConfig.model_validate({}), description="How the network is trained.")
    evaluate: EvaluateConfig = Field(description="What is measured on the test split, and what the gate asks for.")
    push: PushConfig = Field(default=PushConfig(), description="Which files are published, and how they are checked.")

    @model_validator(mode="after")
    def _refuse_enlarged_photos(self) -> Self:
        size, stored = self.train.image_size_pixels, self.ingest.shorter_side_pixels
        if size and stored and size > stored and is_folder_of_photos(self.ingest.dataset):
            raise ValueError(
                f"train.image_size_pixels is {size}, and photos are stored shrunk to ingest.shorter_side_pixels, "
                f"{stored}: they would be enlarged again. Raise ingest.shorter_side_pixels to at least {size}, or "
                f"lower train.image_size_pixels to at most {stored}"
            )
        return self

    @model_validator(mode="after")
    def _refuse_features_of_another_network(self) -> Self:
        for name in ("backbone", "image_size_pixels"):
            computed, read = getattr(self.embed, name), getattr(self.train, name)
            if self.train.uses_embeddings and computed not in (None, read):
                trained = "null, which leaves it to the recipe that auto takes" if read is None else read
                raise ValueError(
                    f"embed.{name} is {computed}, and train.{name} is {trained}: the features must be those of the "
                    f"network that is trained. Leave embed.{name} out, and set train.{name}, which embed takes over"
                )
        return self

    @model_validator(mode="after")
    def _refuse_bounds_on_nothing(self) -> Self:
        for bound in self.evaluate.thresholds.on_findings():
            if self.inspect is None:
                raise ValueError(
                    f"evaluate.thresholds.{bound} bounds what inspect finds, and inspect is null: nothing is looked "
                    "for. Set inspect to {}, or leave the bound out"
                )
        return self

    def recorded(self) -> dict[str, Any]:
        """Returns the config with all defaults as a run's record tells it: without where somebody keeps a key."""
        sections = {name: section for name, section in self if isinstance(section, ComponentConfig)}
        return self.model_dump(mode="json", exclude={name: set(each.unrecorded) for name, each in sections.items()})

    @property
    def uses_embeddings(self) -> bool:
        """Whether a component that is asked for takes the features of a pretrained network."""
        return self.train.uses_embeddings or self.inspect is not None

    @property
    def embed_filled_in(self) -> EmbedConfig:
        """The config of embed, with train's backbone and image size where it names none, and what inspect needs."""
        named = {"backbone": self.train.backbone, "image_size_pixels": self.train.image_size_pixels}
        asked = {"test_split": True} if self.inspect is not None else {}
        return EmbedConfig.model_validate({**named, **self.embed.model_dump(exclude_none=True), **asked})


def load_config(path: Path, settings: Sequence[str] = ()) -> PipelineConfig:
    """Reads `path` and applies settings such as "train.epochs=3" on top. Raises UsageError."""
    return make_config(load_document(path, settings), str(path) + (" with --set" if settings else ""))


def load_document(path: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Returns what the file and the settings say, unchecked and without defaults. Raises UsageError."""
    document = read_document(path)
    for setting in settings:
        apply_setting(document, setting)
    return document


def make_config(document: dict[str, Any], source: str) -> PipelineConfig:
    """Checks the document and fills in defaults. Raises UsageError, which begins with `source`.

    The document may also be the config in a run's record, where every value is written out.
    """
    try:
        # By way of JSON text: there a list may stand for a tuple, and a string still not for a number.
        return PipelineConfig.model_validate_json(json.dumps(_without_unbounded(document)))
    except ValidationError as error:
        raise UsageError(f"{source}: {describe(error, PipelineConfig)}") from error


def _without_unbounded(document: dict[str, Any]) -> dict[str, Any]:
    evaluate = document.get("evaluate")
    thresholds = evaluate.get("thresholds") if isinstance(evaluate, dict) else None
    if not isinstance(evaluate, dict) or not isinstance(thresholds, dict):
        return document
    bounds = {name: bound for name, bound in thresholds.items() if bound != UNBOUNDED.get(name)}
    return {**document, "evaluate": {**evaluate, "thresholds": bounds}}


def find_recipe(config: PipelineConfig) -> Recipe:
    """Returns the recipe that supplies the values of `train` which nobody gave; what stands for it under auto."""
    return recipe_named(config.train.recipe)


def find_unread(config: PipelineConfig) -> frozenset[str]:
    """Returns the keys of `train` that have no effect with this network and optimizer, and may not be given."""
    return frozenset(key for key, (reader, read_by) in READERS.items() if getattr(config.train, reader) not in read_by)
