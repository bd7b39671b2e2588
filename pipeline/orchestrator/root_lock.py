"""Who is at work: in a root any number of runs, or one that removes things; and whether a process is still there."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.errors import unwritable

_LOCK = ".at_work"
_BEGINNING = ".beginning"


@contextmanager
def running(root: Path) -> Iterator[None]:
    """Holds off whoever would remove things, and waits for one that does. Ends with the process, however that ends.

    Raises UsageError where the root cannot be written.
    """
    with _open(root, _LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def beginning(root: Path) -> Iterator[None]:
    """Lets runs begin one after another, so that no two take one name. Raises UsageError as `running` does."""
    with _open(root, _BEGINNING) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def removing(root: Path) -> Iterator[bool]:
    """Whether nobody is at work; if so, none begins until the block ends."""
    with (root / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def process_began(process: int) -> str:
    """When a process of this machine began, in the machine's own words; empty if there is none.

    A number is given to another process in time, at the latest after the next boot. The words are not.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # no Linux
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        command = ["ps", "-o", "lstart=", "-p", str(process)]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else f"{boot} {fields[18]}"  # that is dead, and only its parent has not looked yet


def _open(root: Path, name: str) -> TextIO:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return (root / name).open("a")
    except OSError as error:
        raise unwritable(root, error) from error
