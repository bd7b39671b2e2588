"""The config of a whole pipeline: a JSON file, changed by `--set`, checked before anything runs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from components.component import Config
from components.evaluate import EvaluateConfig
from components.ingest import IngestConfig
from components.normalize import NormalizeConfig
from components.push import PushConfig
from components.train import TrainConfig
from pipeline.errors import UsageError

DEFAULT_PATH = Path("pipeline_config.json")
ERRORS_SHOWN = 2


class PipelineConfig(Config):
    """One section a component."""

    ingest: IngestConfig = IngestConfig()
    normalize: NormalizeConfig = NormalizeConfig()
    train: TrainConfig = TrainConfig.model_validate({})
    evaluate: EvaluateConfig
    push: PushConfig = PushConfig()


def load_config(path: Path, settings: Sequence[str] = ()) -> PipelineConfig:
    """Reads `path`, applies settings such as "train.epochs=3" on top. Raises UsageError."""
    document = _read(path)
    for setting in settings:
        _apply(document, setting)
    try:
        # By way of JSON text: there a list may stand for a tuple, and a string still not for a number.
        return PipelineConfig.model_validate_json(json.dumps(document))
    except ValidationError as error:
        source = str(path) + (" with --set" if settings else "")
        raise UsageError(f"{source}: {describe(error, PipelineConfig)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no config at {path}. Name one with --config FILE.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: expected a JSON object with a section a component, found {document!r:.40}.")
    return document


def _apply(document: dict[str, Any], setting: str) -> None:
    """Sets one value in place: "a.b=c", where c is JSON or else a plain string."""
    name, equals, text = setting.partition("=")
    *sections, key = name.split(".")
    if not equals or not key or not all(sections):
        raise UsageError(f"--set {setting}: expected section.key=value, such as train.recipe=tutorial.")
    for section in sections:
        document = document.setdefault(section, {})
        if not isinstance(document, dict):
            raise UsageError(f"--set {setting}: {section} holds {document!r:.40}, not a section.")
    try:
        document[key] = json.loads(text)
    except ValueError:
        document[key] = text


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first errors, each with the bad value and the alternatives, on one line."""
    found = error.errors(include_url=False)
    shown = " ".join(_describe_one(one, model) for one in found[:ERRORS_SHOWN])
    rest = len(found) - ERRORS_SHOWN
    return shown + (f" ({rest} more like these.)" if rest > 0 else "")


def _describe_one(error: Any, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    where = ".".join(location) or "the config"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key. {_alternatives(location[-1], _fields(model, location[:-1]))}"
    if error["type"] == "missing":
        return f"{where}: is missing."
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}, found {error['input']!r:.60}."


def _fields(model: type[BaseModel], location: Iterable[str]) -> list[str]:
    """The names that the section at `location` knows; none where it is no section of fixed names."""
    inside: Any = model
    for part in location:
        inside = _inside(inside, part)
    return list(inside.model_fields) if inside is not None else []


def _inside(section: Any, name: str) -> Any:
    """The type of what `section` holds under `name`, if that holds names itself: a section, or a dict of sections."""
    if get_origin(section) is dict:
        held = get_args(section)[1]
    else:
        field = section.model_fields.get(name) if section is not None else None
        held = None if field is None else field.annotation
    sections = [each for each in (held, *get_args(held)) if isinstance(each, type) and issubclass(each, BaseModel)]
    return held if get_origin(held) is dict else next(iter(sections), None)


def _alternatives(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if not known:
        return "No key is known there."
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(known))}."
