"""Train: from examples and their statistics to a model. One call on one worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from components.artifacts import Examples, Model, Statistics
from components.component import Component, Workspace
from components.train.recipes import IMAGENET, RECIPES, Recipe


class TrainConfig(Recipe):
    """A recipe by name; any of its values can be given beside it. None stands for the recipe's."""

    recipe: str = Field(default="small_data", description="which values hold where none are given")
    max_cache_megabytes: int = Field(
        default=1000, gt=0, description="of decoded images a split may take in memory; larger ones are streamed"
    )
    warm_start: Literal["best"] | None = Field(
        default=None,
        description='"best": from the weights of the best published version; where there is none, or it is of another '
        "network or other classes, from new ones",
    )
    random_seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        name = given.get("recipe", cls.model_fields["recipe"].default)
        if not isinstance(name, str) or name not in RECIPES:
            raise ValueError(f"unknown recipe {name!r}; there are: {', '.join(sorted(RECIPES))}")
        return {**RECIPES[name].model_dump(), **{key: value for key, value in given.items() if value is not None}}


class Train(Component):
    """`(examples, statistics) | Train(config)` is a Model."""

    name: ClassVar[str] = "train"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "statistics")
    reads: ClassVar[str] = "the file of pretrained weights"
    artifact: ClassVar[type[Model]] = Model
    config: TrainConfig

    def identity(self) -> dict[str, Any]:
        """The config; of the pretrained weights, not where they lie."""
        config = self.config.model_dump(mode="json")
        return config if self._weights_file is None else {**config, "backbone_weights": "file"}

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """SHA-256 of the pretrained weights, where they are read from a file; None while it is not there."""
        if self._weights_file is None:
            return ""
        try:
            return hashlib.sha256(self._weights_file.read_bytes()).hexdigest()
        except OSError:
            return None

    @property
    def _weights_file(self) -> Path | None:
        if self.config.network != "pretrained" or self.config.backbone_weights == IMAGENET:
            return None
        return Path(self.config.backbone_weights).expanduser().absolute()

    def run(self, workspace: Workspace, examples: Examples, statistics: Statistics) -> Model:
        """Trains in `workspace.scratch`, where a killed attempt's checkpoint is found, and writes the model."""
        from components.train.training import train

        return train(self.config, workspace, examples, statistics)
