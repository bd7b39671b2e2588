"""Runs a command with a limit of seconds, and ends it there with all that it has started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple


class Finished(NamedTuple):
    """What a command did until it ended."""

    exit_code: int | None  # None: it was ended at the limit
    seconds: float
    processor_seconds: float  # of all cores, with the processes that it waited for
    printed: str
    complaints: str  # what it wrote to standard error


def run_limited(command: Sequence[str], limit_seconds: float) -> Finished:
    """Runs the command for `limit_seconds` at most. An interrupt ends it as well."""
    started, used = time.monotonic(), _processor_seconds()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        printed, complaints = process.communicate(timeout=limit_seconds)
        exit_code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        _end(process)
        (printed, complaints), exit_code = process.communicate(), None
    finally:
        _end(process)  # also what a command leaves running
    return Finished(exit_code, time.monotonic() - started, _processor_seconds() - used, printed, complaints)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
