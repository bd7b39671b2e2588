"""Train: from examples and their statistics to a model. One call on one worker."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from components.artifacts import Examples, Model, Statistics
from components.component import Component, Workspace
from components.train.recipes import RECIPES, Recipe


class TrainConfig(Recipe):
    """A recipe by name; any of its values can be given beside it. None stands for the recipe's."""

    recipe: str = Field(default="fast", description="which values hold where none are given")
    image_size_pixels: int | None = Field(
        default=None, gt=0, description="both sides; null: the data set's own size, or 64 where sizes differ"
    )
    memory_limit_megabytes: int = Field(
        default=1000, gt=0, description="of decoded images a split may take in memory; larger ones are streamed"
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
    artifact: ClassVar[type[Model]] = Model
    config: TrainConfig

    def run(self, workspace: Workspace, examples: Examples, statistics: Statistics) -> Model:
        """Trains in `workspace.scratch`, where a killed attempt's checkpoint is found, and writes the model."""
        from components.train.training import train

        return train(self.config, workspace, examples, statistics)
