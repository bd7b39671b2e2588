"""Where each value of a config comes from: a default, the recipe, the file, or `--set`; or that nothing reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from components.component import ComponentConfig
from pipeline.config import PipelineConfig, find_recipe, find_unread
from pipeline.config.document import split_setting

TRAIN = "train"  # the section whose values a recipe fills in, and where null stands for the recipe's

Names = tuple[str, ...]


class Value(NamedTuple):
    """One value of a config."""

    names: Names  # ("train", "epochs")
    value: Any  # as JSON has it
    origin: str  # "default", "recipe small_data", "file" or "--set"; "no effect" if nothing reads it


def trace_values(config: PipelineConfig, document: Mapping[str, Any], settings: Sequence[str]) -> Iterator[Value]:
    """Yields every value of the config, section by section.

    A section of thresholds that says nothing is one value, {}.

    Args:
        config: made of `document`.
        document: what the file and the settings say together.
        settings: such as "train.epochs=3".
    """
    places = [split_setting(setting) for setting in settings]
    of_recipe = type(find_recipe(config)).model_fields
    leaves = sorted(_leaves(config, ()), key=lambda leaf: _section_and_rank(leaf[0], of_recipe))
    for names, value in leaves:
        yield Value(names, value, _origin(names, config, document, places))


def dump(config: PipelineConfig) -> dict[str, Any]:
    """Returns the config with all defaults as JSON has it. As a config file it gives the same config again.

    What has no effect, and may therefore not be given, is left out.
    """
    unread = find_unread(config)
    dumped = _dump(config)
    return {**dumped, TRAIN: {name: value for name, value in dumped[TRAIN].items() if name not in unread}}


def _dump(model: BaseModel) -> dict[str, Any]:
    # A metric without any bound is refused where it is given: it is left out, as it was in the file.
    left_out = {name for name, value in model if name not in model.model_fields_set and _says_nothing(value)}
    dumped = model.model_dump(mode="json", exclude=left_out)
    return dumped | {name: _dump(value) for name, value in model if name in dumped and isinstance(value, BaseModel)}


def _says_nothing(value: Any) -> bool:
    """Whether a section holds nothing but nulls."""
    return isinstance(value, BaseModel) and all(
        _says_nothing(item) if isinstance(item, BaseModel) else item is None or item == {} for _, item in value
    )


def _leaves(value: Any, names: Names) -> Iterator[tuple[Names, Any]]:
    if _says_nothing(value):
        yield names, {}
    elif isinstance(value, BaseModel) or (isinstance(value, dict) and value):
        shown = value if isinstance(value, dict) else {name: getattr(value, name) for name in value.model_dump()}
        for name, item in shown.items():
            yield from _leaves(item, (*names, name))
    else:
        yield names, value


def _section_and_rank(names: Names, of_recipe: Mapping[str, Any]) -> tuple[int, bool, bool]:
    """Keeps sections in their order. Keys that every component has come last, and a recipe's name before its values."""
    section = list(PipelineConfig.model_fields).index(names[0])
    key = names[1] if len(names) > 1 else ""  # a section that is null is one value
    return section, key in ComponentConfig.model_fields, names[0] == TRAIN and key in of_recipe


def _origin(names: Names, config: PipelineConfig, document: Mapping[str, Any], places: Sequence[Names]) -> str:
    if _is_given(names, document):
        return "--set" if any(names[: len(place)] == place for place in places) else "file"
    if names[0] == TRAIN and names[1] in find_unread(config):
        return "no effect"
    if names[0] == TRAIN and names[1] in find_recipe(config).model_fields_set:
        return f"recipe {config.train.recipe}"
    return "default"


def _is_given(names: Names, document: Mapping[str, Any]) -> bool:
    found: Any = document
    for name in names:
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return found is not None or names[0] != TRAIN
