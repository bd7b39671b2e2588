"""Looks again at object storage to which others write meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from components.storage_requests import ObjectChangedError

LOOKS = 5

Result = TypeVar("Result")


def look_again(look: Callable[[], Result]) -> Result:
    """Calls `look`, which lists objects and then fetches them, once more if one has changed in between.

    Returns what it returns. Raises ObjectChangedError if each of five times one has.
    """
    for _ in range(LOOKS - 1):
        with contextlib.suppress(ObjectChangedError):
            return look()
    return look()
