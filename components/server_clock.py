"""Reads the clock of a server from what it has answered: those of two machines may differ by an hour."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def server_seconds(headers: Mapping[str, str]) -> float:
    """Returns the server's time in seconds since 1970, rounded up; this machine's if the headers do not tell it."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return parsedate_to_datetime(headers["date"]).timestamp() + 1
    return time.time()
