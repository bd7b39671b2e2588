"""Calls a function for many items in several processes, where a fork is safe: for Python that threads cannot share."""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
_MOST_PROCESSES = 4


def map_forked(function: Callable[[Item], bytes], items: Sequence[Item]) -> list[bytes]:
    """Returns function(item) for all items, in their order, from as many processes as there are cores, up to four.

    A process that has threads already is not forked, as a lock that another thread holds would be held for ever: then
    all is done here. So is the share of a process that failed, so that its error is raised here.
    """
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0))) if _may_fork() else 1
    results = [b""] * len(items)
    with contextlib.ExitStack() as others:
        shares = [_begin(function, items[number::processes], others) for number in range(1, processes)]
        results[::processes] = map(function, items[::processes])
        for number, share in enumerate(shares, 1):
            mine = items[number::processes]
            results[number::processes] = _taken(share) or list(map(function, mine))
    return results


def _may_fork() -> bool:
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def _begin(function: Callable[[Item], bytes], items: Sequence[Item], ended: contextlib.ExitStack) -> int | None:
    """Begins the work in another process, which ends with `ended`, and returns where its results are read.

    Returns None if the system allows no further process.
    """
    reading, writing = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if process == 0:
        try:
            with os.fdopen(writing, "wb") as results:
                marshal.dump([function(item) for item in items], results)
        finally:
            os._exit(0)  # whatever it raised is raised again by who does the work then
    os.close(writing)
    ended.callback(_end, process, reading)
    return reading


def _taken(reading: int | None) -> Any:
    """Returns the results of a process; None if it failed, or there is none."""
    if reading is None:
        return None
    with os.fdopen(reading, "rb", closefd=False) as results, contextlib.suppress(EOFError, ValueError, TypeError):
        return marshal.load(results)
    return None


def _end(process: int, reading: int) -> None:
    os.close(reading)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
