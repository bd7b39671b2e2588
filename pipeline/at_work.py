"""Who is at work in a root: any number of runs, or one that removes things."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import unwritable

_LOCK = ".at_work"


@contextmanager
def running(root: Path) -> Iterator[None]:
    """Holds off whoever would remove things, and waits for one that does. Ends with the process, however that ends.

    Raises UsageError where the root cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / _LOCK).open("a")
    except OSError as error:
        raise unwritable(root, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
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
