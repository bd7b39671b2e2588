"""Trains a model from examples and their statistics, in one call on one worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from components.artifacts import Embeddings, Examples, Model, Statistics
from components.component import Component, ComponentConfig, Workspace
from components.home import expand_home
from components.train.precision import Arithmetic, Precision, choose_precision
from components.train.recipe import IMAGENET, READERS, Recipe
from components.train.recipes import RECIPES

FLOAT32_NETWORKS = ("tutorial", "pretrained")


class TrainConfig(ComponentConfig, Recipe):
    """The config of train: a recipe by name, and values that replace the recipe's.

    None stands for the recipe's value.
    """

    recipe: str = Field(
        default="small_data", description="The name of the recipe that supplies every training value not given here."
    )
    precision: Precision = Field(
        default="auto",
        description="The arithmetic of the convolutions while training: float32, or bfloat16, which is faster on some "
        "processors and rounds to 8 bits; auto takes bfloat16 if there is a GPU, or a processor that multiplies it. "
        "What is validated and exported always computes in float32.",
    )
    max_cache_megabytes: int = Field(
        default=1000,
        gt=0,
        description="The most megabytes of decoded images that a split may take in memory; larger splits are streamed.",
    )
    warm_start: Literal["best"] | None = Field(
        default=None,
        description='"best" starts training from the weights of the best published version, or from new weights if no '
        "version with this network and these classes is published; null always starts from new weights.",
    )
    random_seed: int = Field(
        default=0, ge=0, lt=2**31, description="The seed of the first weights, the order of images and augmentation."
    )

    @property
    def arithmetic(self) -> Arithmetic:
        """The type of the convolutions while training on this machine, and why it is this one."""
        if not self.epochs:
            return Arithmetic("float32", "only a head is fitted")
        if self.network in FLOAT32_NETWORKS:
            return Arithmetic("float32", f"the network `{self.network}` knows no other")
        return choose_precision(self.precision)

    @model_validator(mode="after")
    def _check_precision(self) -> Self:
        if self.precision == "bfloat16" != self.arithmetic.type:
            raise ValueError(f"precision bfloat16 has no effect: {self.arithmetic.reason}. Leave it out")
        return self

    @model_validator(mode="after")
    def _check_warm_start(self) -> Self:
        if self.warm_start and not self.epochs:
            raise ValueError("warm_start has no effect with 0 epochs: the head is fitted anew. Leave it out")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        name = given.get("recipe", cls.model_fields["recipe"].default)
        if not isinstance(name, str) or name not in RECIPES:
            raise ValueError(f"unknown recipe {name!r}; there are: {', '.join(sorted(RECIPES))}")
        chosen = {key: value for key, value in given.items() if value is not None}
        values = {**RECIPES[name].model_dump(), **chosen}
        for key, (reader, choices) in READERS.items():
            changed = json.dumps(values[key]) != json.dumps(getattr(RECIPES[name], key))
            if changed and values[reader] not in choices:
                raise ValueError(
                    f"{key} has no effect with the {reader} {values[reader]!r}; it is read by {' and '.join(choices)}. "
                    "Leave it out"
                )
        return values


class Train(Component):
    """The component that trains a Model: `(examples, statistics) | Train(config)`.

    If the config `uses_embeddings`, it is `(examples, statistics, embeddings) | Train(config)`.
    """

    name: ClassVar[str] = "train"
    inputs: ClassVar[tuple[str, ...]] = ("examples", "statistics", "embeddings")
    reads: ClassVar[str] = "the file of pretrained weights"
    artifact: ClassVar[type[Model]] = Model
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "keras", "numpy", "scipy")
    config: TrainConfig

    def identity(self) -> dict[str, Any]:
        """Returns the config with the arithmetic of this machine, and without the path of a file of weights."""
        config = {**self.config.identity(), "precision": self.config.arithmetic.type}
        return config if self._weights_file is None else {**config, "backbone_weights": "file"}

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Returns the SHA-256 of the file of pretrained weights; None while it is missing, "" if none is read."""
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
        return expand_home(self.config.backbone_weights, "train.backbone_weights")

    def run(
        self,
        workspace: Workspace,
        examples: Examples,
        statistics: Statistics,
        embeddings: Embeddings | None = None,
    ) -> Model:
        """Trains in `workspace.scratch`, where it finds the checkpoint of a killed attempt, and writes the model."""
        from components.train.training import train

        return train(self.config, workspace, examples, statistics, embeddings)
