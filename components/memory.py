"""Reads how much memory this process has taken, and how much it may take."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def peak_memory_bytes() -> int:
    """Returns the largest resident memory of this process since it started, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def memory_left_bytes() -> int:
    """Returns what this process may take beyond what it has: by `memory_limit_bytes`, or by `ulimit -v` or `-d`."""
    pages = _memory_pages()
    left = [memory_limit_bytes() - pages["resident"]]
    for kind, name in ((resource.RLIMIT_AS, "size"), (resource.RLIMIT_DATA, "data")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY and name in pages:
            left.append(limit - pages[name])
    return max(min(left), 0)


def used_memory_bytes() -> int:
    """Returns the resident memory of this process now, in bytes; the largest so far where the system does not say."""
    return _memory_pages()["resident"]


def _memory_pages() -> dict[str, int]:
    """Returns the bytes of this process's pages: all of them (`size`), those in memory, and those of data."""
    try:
        numbers = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:  # not Linux
        return {"resident": peak_memory_bytes()}
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    return {name: int(numbers[place]) * page_bytes for name, place in (("size", 0), ("resident", 1), ("data", 5))}


@functools.cache
def memory_limit_bytes() -> int:
    """Returns the memory of this machine, or the limit of this process's control group if that is smaller."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in _limit_files():
        with contextlib.suppress(OSError, ValueError):  # no such control group, or "max", which is no limit
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


def _limit_files() -> Iterator[Path]:
    """Yields the files that may hold a limit: a process is bound by its control group and by all groups around it."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers in ("", "memory"):  # version 2 has one hierarchy, version 1 one for each controller
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            folder = CONTROL_GROUPS / controllers / group.lstrip("/")
            yield from (each / name for each in (folder, *folder.parents) if each.is_relative_to(CONTROL_GROUPS))
