"""Formats numbers and paths for people, and lets a command print any text in any terminal."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import io
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any, ClassVar

PRINTABLE = "pipeline.printable"  # the name of an error handler of Python's codecs
LOOK_ALIKES = {"→": "->", "…": "...", "━": "#", "╌": "-"}


def print_any_text() -> None:
    """Makes stdout and stderr of this process print any text; each command begins with this.

    What an encoding lacks is printed as ASCII that looks like it, or as an escape such as `\\u0444`. The bytes of a
    file name that is not text are printed as they are. JSON for programs does not depend on this: it is ASCII.
    Text for a pipe whose reader has gone (`| head`) is dropped: whether somebody reads decides nothing. Text that a
    full disk does not take is dropped too, so that a run goes on; but the process says so at its end, and fails.
    """
    _open_closed_streams()
    stdout = sys.__stdout__
    if stdout is not None and sys.stdout is stdout and not stdout.isatty():
        sys.stdout = open_output(1, stdout.encoding, line_buffering=stdout.line_buffering, closes=False)
        atexit.register(_fail_if_unwritten)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's streams are none, and print any text
            stream.reconfigure(errors=PRINTABLE)


def open_output(number: int, encoding: str, *, line_buffering: bool = True, closes: bool = True) -> io.TextIOWrapper:
    """Returns a stream to an open file descriptor, which prints any text and drops what cannot be written.

    `closes` says whether closing the stream closes the descriptor.
    """
    raw = io.BufferedWriter(_Output(number, closes))
    return io.TextIOWrapper(raw, encoding=encoding, errors=PRINTABLE, line_buffering=line_buffering)


class _Output(io.RawIOBase):
    """A pipe that may lose its reader, or a file on a disk that may be full."""

    unwritten: ClassVar[list[OSError]] = []

    def __init__(self, number: int, closes: bool) -> None:
        super().__init__()
        self._number, self._closes = number, closes

    def close(self) -> None:
        if self._closes and not self.closed:
            os.close(self._number)
        super().close()

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        try:
            return os.write(self._number, data)
        except BrokenPipeError:
            return len(data)
        except OSError as error:
            self.unwritten.append(error)
            return len(data)


def _fail_if_unwritten() -> None:
    """Ends the process with the exit code of a failed run if stdout did not take all text."""
    sys.stdout.flush()
    if _Output.unwritten:
        with contextlib.suppress(OSError):
            print(f"error: stdout cannot be written: {_Output.unwritten[0].strerror}", file=sys.stderr, flush=True)
        os._exit(1)


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


def printable(text: str) -> str:
    """Returns the text with escapes such as `\\x1b` for control characters, which a terminal would obey."""
    return "".join(
        character.encode("unicode_escape").decode("ascii") if unicodedata.category(character) == "Cc" else character
        for character in text
    )


def format_value(value: Any) -> str:
    """Returns a number as `4,800` or `0.7912`, a list or tuple with commas between its items, and the rest as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def short_path(path: Path) -> Path:
    """Returns the path relative to the working directory if it is below it, and unchanged otherwise."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
