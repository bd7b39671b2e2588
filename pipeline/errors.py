"""What ends a command, and with which exit code."""

from enum import IntEnum
from pathlib import Path


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
