"""What ends a command, and with which exit code."""

from __future__ import annotations

import errno
from enum import IntEnum
from pathlib import Path

from components.component import ComponentError


class ExitCode(IntEnum):
    """What a shell sees."""

    DONE = 0  # pushed, or nothing to do
    FAILED = 1  # a component failed
    USAGE = 2  # the command line or the config cannot be used
    NOT_BLESSED = 3  # completed, and the model is not good enough
    INTERRUPTED = 130  # what shells expect of a command that was told to stop


class UsageError(Exception):
    """A command line or config that cannot be used: what was seen, expected, where, what to do."""


class Stopped(Exception):  # noqa: N818
    """The run was told to stop, and this component had not begun."""


def unwritable(root: Path, error: OSError) -> UsageError:
    """Of a root in which no run can leave anything."""
    return UsageError(f"{root} cannot be written: {error.strerror}. Name another folder with --pipeline_root.")


def explain(error: BaseException) -> str:
    """The reason in a line or two, for people."""
    if isinstance(error, ComponentError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full{f' ({error.filename})' if error.filename else ''}. Free some space and run again."
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
