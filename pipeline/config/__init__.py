"""The config of a whole pipeline: a JSON file, changed by `--set`, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from components.component import Config
from components.embed import EmbedConfig
from components.evaluate import EvaluateConfig
from components.evaluate.thresholds import Thresholds
from components.ingest import IngestConfig
from components.normalize import NormalizeConfig
from components.push import PushConfig
from components.train import TrainConfig
from components.train.recipe import READERS, Recipe
from components.train.recipes import RECIPES
from pipeline.config.document import apply_setting, read_document
from pipeline.config.refusal import describe
from pipeline.errors import UsageError

DEFAULT_PATH = Path("pipeline_config.json")
# What a run's record holds of a metric without bounds. Nobody types it, so that it is no forgotten bound.
UNBOUNDED = {name: field.default.model_dump(mode="json") for name, field in Thresholds.model_fields.items()}


class PipelineConfig(Config):
    """One section a component."""

    ingest: IngestConfig = Field(default=IngestConfig(), description="Which images are read, and for what.")
    normalize: NormalizeConfig = Field(default=NormalizeConfig(), description="How the images are scanned and checked.")
    embed: EmbedConfig = Field(
        default=EmbedConfig(), description="How the features of a pretrained network are computed, if train uses them."
    )
    train: TrainConfig = Field(default=TrainConfig.model_validate({}), description="How the network is trained.")
    evaluate: EvaluateConfig = Field(description="What is measured on the test split, and what the gate asks for.")
    push: PushConfig = Field(default=PushConfig(), description="Which files are published, and how they are checked.")

    @property
    def embed_for_train(self) -> EmbedConfig:
        """The config of embed, with train's backbone and image size where it names none."""
        named = {"backbone": self.train.backbone, "image_size_pixels": self.train.image_size_pixels}
        return EmbedConfig.model_validate({**named, **self.embed.model_dump(exclude_none=True)})


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
    """Returns the recipe that supplies the values of `train` which nobody gave."""
    return RECIPES[config.train.recipe]


def find_unread(config: PipelineConfig) -> frozenset[str]:
    """Returns the keys of `train` that have no effect with this network and optimizer, and may not be given."""
    return frozenset(key for key, (reader, read_by) in READERS.items() if getattr(config.train, reader) not in read_by)
