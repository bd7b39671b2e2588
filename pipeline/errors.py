"""Exit codes of the commands, the errors that end a command, and the texts that explain them."""

from __future__ import annotations

import errno
from enum import IntEnum
from pathlib import Path

from components.component import ComponentError


class ExitCode(IntEnum):
    """The exit codes of the commands."""

    DONE = 0  # pushed, or nothing to do
    FAILED = 1  # a component failed
    USAGE = 2  # the command line or the config cannot be used
    NOT_BLESSED = 3  # the run completed, but the model did not pass the gate
    INTERRUPTED = 130  # the shells' convention for a command that was stopped: 128 + SIGINT


class UsageError(Exception):
    """A command line or config that cannot be used. The text says what was seen, expected, where, and what to do."""


class Stopped(Exception):  # noqa: N818
    """A component that does not begin because the run was told to stop."""


def unwritable(root: Path, error: OSError) -> UsageError:
    """Returns the error for a pipeline root that cannot be written to."""
    return UsageError(f"{root} cannot be written: {error.strerror}. Name another folder with --pipeline_root.")


def explain(error: BaseException) -> str:
    """Returns the reason for an error as a line or two of text for people."""
    if isinstance(error, (ComponentError, Stopped)):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full{f' ({error.filename})' if error.filename else ''}. Free some space and run again."
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        where = f" ({error.filename})" if error.filename else ""
        return f"A file met a limit of file size{where}. Raise the limit (ulimit -f), or choose another disk."
    text = str(error).strip().splitlines()
    if isinstance(error, MemoryError):
        said = f" ({text[0]})" if text else ""
        return f"Memory is full{said}. Lower train.batch_size, train.max_cache_megabytes or evaluate.batch_size."
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
