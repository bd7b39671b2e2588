"""Writes docs/reference/config.md from the pydantic models of the config."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from components.component import ComponentConfig
from components.train.recipe import Recipe
from components.train.recipes import RECIPES
from docs.generate.markdown import NOTE, code, table
from pipeline.config.schema import make_schema

BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"string": "text", "boolean": "true or false", "null": "null", "number": "number", "integer": "integer"}
DIGITS = 4  # of a recipe's values in the table
HEAD = f"""# Config

{NOTE}

Every key of `pipeline_config.json`, its type, default and bounds, and the values of each recipe.

- `python -m pipeline.config` prints the config that a run would use, and where each value comes from. It takes
  `--config FILE` and `--set SECTION.KEY=VALUE` as `python -m pipeline.run` does.
- The file is JSON in UTF-8. An unknown key, a key that is given twice, and a value out of its bounds are refused.
- A top-level `"$schema"` key is ignored by the loader. It lets editors complete and check the file:
  `"$schema": "./docs/reference/pipeline_config.schema.json"`. `python -m pipeline.config --schema` prints that schema.
- Only `evaluate.thresholds` must be given. "required" below marks keys without a default.
"""
TRAIN = """The keys from `network` on belong to the recipe. If the config leaves one out, or sets it to null, it has the
recipe's value: a value that the recipe sets can be changed, but not set back to null. The default is shown here if all
recipes share it; [Recipes](#recipes) has the others. A key that the chosen network or optimizer does not read is
refused."""
RECIPES_HEAD = f"""## Recipes

What each recipe sets. Numbers are rounded to {DIGITS} digits;
`python -m pipeline.config --set train.recipe=NAME` prints them in full. Keys with the same value in all recipes are in
the table of [train](#train) only."""

Schema = Mapping[str, Any]


def write_config() -> str:
    """Returns the page as Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    schema = make_schema()
    models, shown = schema["$defs"], set()
    yield HEAD
    for section in (name for name in schema["properties"] if not name.startswith("$")):
        field = schema["properties"][section]
        model = _held(field)
        yield f"## {section}\n\n{field['description']}\n"
        if section == "train":
            yield TRAIN + "\n"
        yield _fields(models[model]) + "\n"
        for name in _sections_below(models[model], models):
            if name not in shown:
                shown.add(name)
                yield f"### {name}\n\n{_intro(models[name])}\n\n{_fields(models[name])}\n"
    yield RECIPES_HEAD + "\n"
    yield _recipes()


def _sections_below(model: Schema, models: Mapping[str, Schema]) -> Iterator[str]:
    for field in model["properties"].values():
        if (name := _held(field)) is not None:
            yield name
            yield from _sections_below(models[name], models)


def _held(field: Schema) -> str | None:
    """Returns the model that the field holds, alone, beside null, or by name."""
    for option in (field, *field.get("anyOf", ()), field.get("additionalProperties", {})):
        if isinstance(option, Mapping) and "$ref" in option:
            return option["$ref"].rpartition("/")[2]
    return None


def _intro(model: Schema) -> str:
    return " ".join(model["description"].split())


def _fields(model: Schema) -> str:
    required = model.get("required", ())
    names = sorted(model["properties"], key=_rank)
    rows = [
        (code(name), _type(field), _default(name, field, required), _bounds(field), field["description"])
        for name, field in ((name, model["properties"][name]) for name in names)
    ]
    return table(("key", "type", "default", "bounds", "description"), rows)


def _rank(name: str) -> tuple[bool, bool]:
    """Puts a recipe's name before its values, and what every component has last."""
    return name in ComponentConfig.model_fields, name in Recipe.model_fields


def _type(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "enum" in field or "const" in field:
        return ", ".join(code(json.dumps(value)) for value in field.get("enum", [field.get("const")]))
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if field["type"] == "array":
        return _array(field)
    if field["type"] == "object":
        return f"{_type(field['additionalProperties'])} by name"
    return TYPES[field["type"]]


def _array(field: Schema) -> str:
    if "prefixItems" in field:
        return f"[{', '.join(_type(item) for item in field['prefixItems'])}]"
    return f"list of {_type(field['items'])}"


def _default(name: str, field: Schema, required: Collection[str]) -> str:
    if name in required:
        return "required"
    if "default" in field:
        return code(json.dumps(field["default"], ensure_ascii=False))
    if name not in Recipe.model_fields:
        return ""
    return (
        "[the recipe's](#recipes)" if name in _differing() else code(json.dumps(next(iter(_values().values()))[name]))
    )


def _bounds(field: Schema) -> str:
    """Returns the bounds of a number, or of the numbers in a list."""
    inner = (*field.get("anyOf", ()), *field.get("prefixItems", ()), *filter(None, [field.get("items")]))
    found = [bounds for bounds in map(_bounds, inner) if bounds]
    if found:
        return "; ".join(dict.fromkeys(found))
    return ", ".join(f"{sign} {field[name]}" for name, sign in BOUNDS.items() if name in field)


def _recipes() -> str:
    values = _values()
    rows = [(code(key), *(_rounded(each[key]) for each in values.values())) for key in _differing()]
    return table(("key", *map(code, values)), rows)


def _values() -> dict[str, dict[str, Any]]:
    return {name: recipe.model_dump(mode="json") for name, recipe in RECIPES.items()}


def _differing() -> list[str]:
    """Returns the keys that do not have the same value in all recipes."""
    values = _values().values()
    return [key for key in Recipe.model_fields if len({json.dumps(each[key]) for each in values}) > 1]


def _rounded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_rounded, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
