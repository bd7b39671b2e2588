"""Formats numbers and paths for people, and lets a command print any text in any terminal."""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path
from typing import Any

PRINTABLE = "pipeline.printable"  # the name of an error handler of Python's codecs
LOOK_ALIKES = {"→": "->", "…": "...", "━": "#", "╌": "-"}


def print_any_text() -> None:
    """Makes stdout and stderr of this process print any text; each command begins with this.

    What an encoding lacks is printed as ASCII that looks like it, or as an escape such as `\\u0444`. The bytes of a
    file name that is not text are printed as they are. JSON for programs does not depend on this: it is ASCII.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's streams are none, and print any text
            stream.reconfigure(errors=PRINTABLE)


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Returns what is printed for the first character that cannot be encoded, and the index of the next one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character, following = error.object[error.start], error.start + 1
    if "\udc80" <= character <= "\udcff":  # so Python represents a byte of a file name that it cannot decode
        return character.encode("ascii", "surrogateescape"), following
    return LOOK_ALIKES.get(character) or character.encode("ascii", "backslashreplace").decode("ascii"), following


codecs.register_error(PRINTABLE, _printable)


def format_value(value: Any) -> str:
    """Returns a number as `4,800` or `0.7912`, a list or tuple with commas between its items, and the rest as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def short_path(path: Path) -> Path:
    """Returns the path relative to the working directory if it is below it, and unchanged otherwise."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
