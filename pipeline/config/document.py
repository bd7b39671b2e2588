"""Reads a config file as JSON, and changes single values of it. What the values mean is not known here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

SCHEMA_KEY = "$schema"  # for editors: where the JSON schema of the file is


class _Object(dict[str, Any]):
    """A JSON object that remembers the first key that it was given twice."""

    repeated: str | None = None


def read_document(path: Path) -> dict[str, Any]:
    """Returns the JSON object in `path`, in UTF-8 with or without a byte order mark, less its `$schema`.

    Raises UsageError if the file cannot be read, is not a JSON object, or gives a key twice.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_make_object)
    except FileNotFoundError:
        raise UsageError(f"There is no config at {path}. Name one with --config FILE.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: expected a JSON object with a section a component, found {document!r:.40}.")
    _refuse_repeated(document, path)
    document.pop(SCHEMA_KEY, None)
    return document


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Sets one value in place: "a.b=c", where c is JSON or else a plain string. Raises UsageError."""
    names = split_setting(setting)
    *sections, key = names
    for section in sections:
        document = document.setdefault(section, {})
        if not isinstance(document, dict):
            raise UsageError(f"--set {setting}: {section} holds {document!r:.40}, not a section.")
    text = setting.partition("=")[2]
    try:
        document[key] = json.loads(text)
    except (ValueError, RecursionError):
        document[key] = text


def split_setting(setting: str) -> tuple[str, ...]:
    """Returns the names before the equals sign: ("a", "b") for "a.b=c". Raises UsageError."""
    name, equals, _ = setting.partition("=")
    names = tuple(name.split("."))
    if not equals or not all(names):
        raise UsageError(f"--set {setting}: expected section.key=value, such as train.recipe=tutorial.")
    return names


def _make_object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object()
    for key, value in pairs:
        if key in made and made.repeated is None:
            made.repeated = key
        made[key] = value
    return made


def _refuse_repeated(value: Any, path: Path, section: str = "") -> None:
    """The section of a key is known only from the outside in, so that the file is searched once it is read."""
    if isinstance(value, list):
        for item in value:
            _refuse_repeated(item, path, section)
    if isinstance(value, _Object):
        if value.repeated is not None:
            where = f"in the section {section}" if section else "at the top level"
            raise UsageError(f'{path}: the key "{value.repeated}" is given twice {where}. Leave one of them out.')
        for key, item in value.items():
            _refuse_repeated(item, path, f"{section}.{key}" if section else key)
