"""The options by which a benchmark names a recipe and changes its values."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.train import TrainConfig


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Adds the option `--set`, for other values of the recipe."""
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=JSON",
        help="changes a value of the recipe; may be repeated",
    )


def parse_changes(given: list[str]) -> dict[str, Any]:
    """Returns the values that were given as KEY=JSON."""
    return {key: json.loads(value) for key, value in (change.split("=", 1) for change in given)}


def config_of(recipe: str, changes: dict[str, Any]) -> TrainConfig:
    """Returns the config of a training by the images alone. Exits if there is no such recipe, or it needs more."""
    from pydantic import ValidationError

    from components.train import TrainConfig

    try:
        config = TrainConfig.model_validate({"recipe": recipe, **changes})
    except ValidationError as error:
        sys.exit(str(error))
    if config.uses_embeddings:
        sys.exit(f"The recipe {recipe} starts from stored features. Name one that starts from new weights, as cifar81.")
    if config.early_stopping_patience_epochs:
        sys.exit(
            "early_stopping_patience_epochs needs a validation split, and all images are trained on. Leave it out."
        )
    return config
