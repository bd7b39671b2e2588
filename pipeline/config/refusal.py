"""Says why a config cannot be used: the bad value, where it is, and the alternatives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

ERRORS_SHOWN = 2
ALL_LISTED = 8  # keys of a section that are all named; of a longer one the nearest are
NEAREST_LISTED = 5


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Returns the first errors, each with the bad value and the alternatives, on one line."""
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
    found = "" if isinstance(error["input"], dict) else f", found {error['input']!r:.60}"  # a section says it itself
    return f"{where}: {message}{found}."


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
    if not known:
        return "No key is known there."
    if close := difflib.get_close_matches(name, known, n=1):
        return f"Did you mean {close[0]}?"
    if len(known) <= ALL_LISTED:
        return f"Known are {', '.join(sorted(known))}."
    nearest = difflib.get_close_matches(name, known, n=NEAREST_LISTED, cutoff=0.0)
    return f"The nearest of its {len(known)} keys are {', '.join(nearest)}. `python -m pipeline.config` lists all."
