"""Formats numbers and paths for people, and lets a command print any text in any terminal."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
from pathlib import Path
from typing import Any

PRINTABLE = "pipeline.printable"  # the name of an error handler of Python's codecs
LOOK_ALIKES = {"→": "->", "…": "...", "━": "#", "╌": "-"}


def print_any_text() -> None:
    """Makes stdout and stderr of this process print any text; each command begins with this.

    What an encoding lacks is printed as ASCII that looks like it, or as an escape such as `\\u0444`. The bytes of a
    file name that is not text are printed as they are. JSON for programs does not depend on this: it is ASCII.
    Text for a pipe whose reader has gone (`| head`) is dropped: whether somebody reads decides nothing.
    """
    _open_closed_streams()
    encoding = sys.stdout.encoding
    if sys.stdout is sys.__stdout__ and stat.S_ISFIFO(os.fstat(1).st_mode):
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Pipe()), encoding=encoding)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's streams are none, and print any text
            stream.reconfigure(errors=PRINTABLE)


class _Pipe(io.RawIOBase):
    """Stdout as a pipe that may lose its reader."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: Any) -> int:
        try:
            return os.write(1, data)
        except BrokenPipeError:
            return len(data)


def _open_closed_streams() -> None:
    """Opens stdout and stderr on the null device where the shell has closed them (`>&-`): Python has None there."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


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
