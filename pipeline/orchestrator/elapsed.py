"""How long work has taken that another machine may have begun: the clocks of two machines may differ by an hour."""

from __future__ import annotations

import functools
import time


def seconds_since(started: float) -> float:
    """Returns the seconds since a time that is given in seconds since 1970; 0 if it lies ahead of this clock."""
    return max(0.0, time.time() - started)


@functools.cache
def seen_here(key: str, started: float) -> float:
    """Returns when this process first saw work at a key, by this machine's clock; `started` is by another one's."""
    return time.time()
