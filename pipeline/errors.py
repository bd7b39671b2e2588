"""What ends a command, and with which exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell sees."""

    DONE = 0  # pushed, or nothing to do
    FAILED = 1  # a component failed
    USAGE = 2  # the command line or the config cannot be used
    NOT_BLESSED = 3  # completed, and the model is not good enough


class UsageError(Exception):
    """A command line or config that cannot be used: what was seen, expected, where, what to do."""
