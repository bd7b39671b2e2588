"""Waits for an S3 server that has answered this process before and does not answer now, for a while.

botocore itself sends a request that fails up to five times, within some ten seconds: so soon it is told that an address
is wrong. In the middle of hours of work it is better to wait longer, but not for ever, and once: after a wait in vain,
requests fail as soon as those of a process that never had an answer.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

ATTEMPTS = 5  # of botocore at one request, and of `repeated`
PATIENCE_SECONDS = 120.0  # from the first failure of a request on
PAUSE_SECONDS = 3.0  # between two tries, half of it to one and a half
_AWAY = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_SINCE = "failing_since"  # in the context of a request

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Patience:
    """Decides whether a request is sent again after botocore has given it up. One for all requests of a client."""

    def __init__(self) -> None:
        self._is_worth_waiting = False  # the server has answered since it was last waited for in vain
        self._is_told = False
        self._changing = threading.Lock()

    def needs_retry(
        self, attempts: int, response: Any, caught_exception: Exception | None, request_dict: dict[str, Any], **_: Any
    ) -> float | None:
        """Returns after how many seconds a request is sent again, or None. botocore's event of this name calls it.

        botocore takes its own answer first.
        """
        if not _is_away(response, caught_exception):
            self._is_worth_waiting, self._is_told = True, False
            return None
        since = request_dict["context"].setdefault(_SINCE, time.monotonic())
        if not self._is_worth_waiting:
            return None
        if time.monotonic() - since > PATIENCE_SECONDS:
            self._is_worth_waiting = False
            return None
        if attempts >= ATTEMPTS:
            self._tell(request_dict["url"], caught_exception or f"status {response[0].status_code}")
        return PAUSE_SECONDS * random.uniform(0.5, 1.5)

    def _tell(self, url: str, why: object) -> None:
        with self._changing:
            if self._is_told:
                return
            self._is_told = True
        logger.warning("%s: %s. It answered before, so it is waited for up to %.0f s.", url, why, PATIENCE_SECONDS)


def _is_away(response: Any, error: Exception | None) -> bool:
    """Returns whether the same request may succeed later: nothing came of it, or the server says that it cannot."""
    from botocore import exceptions

    if response is None:
        return isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError))
    return response[0].status_code in _AWAY


def repeated(read: Callable[[], Result]) -> Result:
    """Repeats a read whose bytes end too early: botocore sends a request again, but not then."""
    from botocore import exceptions as errors

    broken_off = (
        errors.FlexibleChecksumError,
        errors.HTTPClientError,
        errors.IncompleteReadError,
        errors.ResponseStreamingError,
    )
    last = time.monotonic() + PATIENCE_SECONDS
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(*broken_off):
            return read()
        if time.monotonic() > last:
            break
    return read()
