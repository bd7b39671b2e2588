"""The JSON schema of a config file, with which editors complete and check it."""

from __future__ import annotations

from typing import Any

from pipeline.config import RECIPE_NAMES, PipelineConfig, Recipe
from pipeline.config.document import SCHEMA_KEY

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def make_schema() -> dict[str, Any]:
    """Returns the JSON schema of a config file, with a description of every key."""
    schema = PipelineConfig.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        _clean(model)
    _fill_from_recipe(schema["$defs"]["TrainConfig"])
    schema["properties"][SCHEMA_KEY] = {"description": "The place of this schema, for editors.", "type": "string"}
    return {SCHEMA_KEY: DIALECT, "title": "The config of a run", **schema}


def _clean(model: dict[str, Any]) -> None:
    """Drops what pydantic adds and an editor would only show twice: titles, and the defaults of whole sections."""
    model.pop("title", None)
    for field in model.get("properties", {}).values():
        field.pop("title", None)
        if isinstance(field.get("default"), dict):
            del field["default"]


def _fill_from_recipe(train: dict[str, Any]) -> None:
    """No value of a recipe need be given, and its default is the recipe's: null stands for that, too."""
    train.pop("required", None)
    train["properties"]["recipe"]["enum"] = list(RECIPE_NAMES)
    for name in Recipe.model_fields:
        field = train["properties"][name]
        field.pop("default", None)
        if "anyOf" not in field:
            kept = {key: field.pop(key) for key in ("description",) if key in field}
            train["properties"][name] = {**kept, "anyOf": [field, {"type": "null"}]}
