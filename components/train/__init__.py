"""Trains a model from examples and their statistics, in one call on one worker."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from components.artifacts import Artifact, Embeddings, Examples, Model, Statistics
from components.component import Component, ComponentConfig, Workspace
from components.home import expand_home
from components.recipe_choice import AUTO, choose_recipe, describe_recipe
from components.train.precision import Arithmetic, Precision, choose_precision
from components.train.recipe import IMAGENET, READERS, Recipe
from components.train.recipes import GIVEN_WITH_AUTO, RECIPES, recipe_named

logger = logging.getLogger(__name__)

FLOAT32_NETWORKS = ("tutorial", "pretrained")


class TrainConfig(ComponentConfig, Recipe):
    """The config of train: a recipe by name, and values that replace the recipe's.

    None stands for the recipe's value.
    """

    recipe: str = Field(
        default=AUTO,
        description="The name of the recipe that supplies every training value not given here. auto takes transfer or "
        "finetune, by the number of training images; beside it, of the recipe's values only backbone, class_balance "
        "and image_size_pixels may be given.",
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
    max_disk_megabytes: int | None = Field(
        default=None,
        gt=0,
        description="The most megabytes of the images' files that training may have on its machine's disk, if they are "
        "in object storage and not there yet: of larger ones, each file is fetched when it is due, in every epoch, and "
        "removed behind. null fetches all of them first.",
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
        if self.recipe == AUTO:
            return choose_precision(self.precision)
        if not self.epochs:
            return Arithmetic("float32", "only a head is fitted")
        if self.network in FLOAT32_NETWORKS:
            return Arithmetic("float32", f"the network `{self.network}` knows no other")
        return choose_precision(self.precision)

    def identity(self) -> dict[str, Any]:
        """Returns the keys that decide what is made; how much of the images is on a disk at once does not."""
        return {key: value for key, value in super().identity().items() if key != "max_disk_megabytes"}

    def resolved(self, examples: Examples) -> TrainConfig:
        """Returns the config that these images are trained with: that of the recipe which `auto` takes for them."""
        if self.recipe != AUTO:
            return self
        recipe = choose_recipe(examples).recipe
        unread = {"precision"} if not RECIPES[recipe].epochs else set()  # a head is fitted in float32
        return TrainConfig.model_validate({**self.model_dump(exclude=unread), "recipe": recipe})

    @model_serializer(mode="wrap")
    def _leave_out_undecided(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what `auto` has not chosen yet, so that records and cache keys hold only what was given."""
        undecided = Recipe.model_fields.keys() - GIVEN_WITH_AUTO if self.recipe == AUTO else frozenset()
        return {key: value for key, value in dump(self).items() if key not in undecided}

    @model_validator(mode="after")
    def _check_precision(self) -> Self:
        if self.precision == "bfloat16" != self.arithmetic.type:
            raise ValueError(f"precision bfloat16 has no effect: {self.arithmetic.reason}. Leave it out")
        return self

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.uses_embeddings and not self.image_size_pixels and self.recipe != AUTO:
            raise ValueError(f"the network `{self.network}` needs image_size_pixels: 224 is that of its pretraining")
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
        if not isinstance(name, str) or name not in (AUTO, *RECIPES):
            raise ValueError(f"unknown recipe {name!r}; there are: {', '.join((AUTO, *sorted(RECIPES)))}")
        chosen = {key: value for key, value in given.items() if value is not None}
        if name == AUTO:
            _refuse_undecided(chosen)
        recipe = recipe_named(name)
        values = {**recipe.model_dump(), **chosen}
        for key, (reader, choices) in READERS.items():
            # Compared as JSON has them, with lists for tuples; 0 and 0.0 are the same.
            given_value, recipe_value = (json.loads(json.dumps(value)) for value in (values[key], getattr(recipe, key)))
            changed = given_value != recipe_value
            if changed and values[reader] not in choices:
                raise ValueError(
                    f"{key} has no effect with the {reader} {values[reader]!r}; it is read by {' and '.join(choices)}. "
                    "Leave it out"
                )
        return values


def _refuse_undecided(given: Mapping[str, Any]) -> None:
    of_recipe = (Recipe.model_fields.keys() | {"warm_start"}) - GIVEN_WITH_AUTO
    if found := [key for key in given if key in of_recipe]:
        raise ValueError(
            f"{' and '.join(found)} cannot be given beside the recipe auto, which becomes transfer or finetune once "
            "the images are known. Name the recipe, such as train.recipe=finetune"
        )


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

    def describe(self, inputs: Mapping[str, Artifact]) -> str:
        """Returns the recipe that `auto` takes for these examples, or that they are too few for finetune; and why.

        After it comes the arithmetic of training on this machine.
        """
        examples = inputs.get("examples")
        if not isinstance(examples, Examples):
            return ""
        arithmetic = self.config.resolved(examples).arithmetic
        chosen = f"{arithmetic.type}: {arithmetic.reason}"
        return "; ".join(filter(None, (describe_recipe(self.config.recipe, examples), chosen)))

    def max_fetched_bytes(self, name: str) -> int | None:
        """Returns the bound of the config for examples. See `Component`."""
        megabytes = self.config.max_disk_megabytes
        return megabytes * 1_000_000 if megabytes is not None and name == "examples" else None

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

        reason = choose_recipe(examples).reason if self.config.recipe == AUTO else ""
        if not reason and (warning := describe_recipe(self.config.recipe, examples)):
            logger.warning("%s", warning)
        return train(self.config.resolved(examples), workspace, examples, statistics, embeddings, reason)
