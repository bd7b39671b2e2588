"""The locks of a pipeline root, which keep runs and clean-up apart, and a check whether a process still exists."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from components.files import lock
from pipeline.errors import unwritable

_LOCK = ".at_work"
_BEGINNING = ".beginning"


@contextmanager
def running(root: Path) -> Iterator[None]:
    """Keeps `removing` from the root until the block ends; any number of runs may hold this lock.

    Waits while something is being removed. The lock ends with the process, however that ends. Raises UsageError if
    the root cannot be written to.
    """
    with _open(root, _LOCK) as file:
        lock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def beginning(root: Path) -> Iterator[None]:
    """Makes runs begin one after another, so that no two take the same name. Raises UsageError as `running` does."""
    with _open(root, _BEGINNING) as file:
        lock(file, fcntl.LOCK_EX)
        yield


def has_begun(root: Path) -> bool:
    """Returns whether a run has ever begun in the root; a copy of a root may have only the records."""
    return (root / _BEGINNING).exists() or any((root / "runs").glob("*/run.json"))


@contextmanager
def removing(root: Path) -> Iterator[bool]:
    """Yields whether no run is at work. If so, no run begins until the block ends."""
    with (root / _LOCK).open("a") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def process_began(process: int) -> str:
    """Returns when a process of this machine began, as text in the system's own format; empty if there is none.

    The text tells processes with the same number apart: numbers are reused, at the latest after a reboot.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        command = ["ps", "-o", "lstart=", "-p", str(process)]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else f"{boot} {fields[18]}"  # Z, X: dead, but not yet reaped by its parent


def _open(root: Path, name: str) -> TextIO:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return (root / name).open("a")
    except OSError as error:
        raise unwritable(root, error) from error
