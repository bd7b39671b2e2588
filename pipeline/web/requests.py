"""Reads the bodies of requests within limits, and answers those that are refused with the reason."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from typing import IO, Any

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

BODY_SECONDS = 60.0


class RefusedError(Exception):
    """A request that is refused, with the reason and the HTTP status of the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_bounded(
    chunks: AsyncIterator[bytes], declared_bytes: int | None, max_bytes: int, file: IO[bytes]
) -> None:
    """Copies a request's body to `file` and rewinds it.

    Raises RefusedError if the body is larger than `max_bytes`, or does not arrive within 60 seconds.
    """
    too_large = RefusedError(413, f"This is larger than {max_bytes / 1e6:g} MB.")
    if declared_bytes is not None and declared_bytes > max_bytes:
        raise too_large
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in chunks:
                if file.tell() + len(chunk) > max_bytes:
                    raise too_large
                file.write(chunk)
    except TimeoutError:
        raise RefusedError(408, f"Nothing whole arrived within {BODY_SECONDS:g} seconds.") from None
    file.seek(0)


async def read_json(request: Request, max_bytes: int, example: str) -> Any:
    """Returns what the request's body says. Raises RefusedError if it is no JSON, and as `read_bounded` does.

    `example` is JSON that would do.
    """
    body = io.BytesIO()
    await read_bounded(request.stream(), declared_bytes(request), max_bytes, body)
    try:
        return json.load(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, f"Expected JSON: {example}.") from None


def declared_bytes(request: Request) -> int | None:
    """Returns the length that the request states for its body; None if it states none."""
    declared = request.headers.get("content-length", "")
    return int(declared) if re.fullmatch("[0-9]{1,20}", declared) else None


async def refuse(request: Request, error: Exception) -> Response:
    """Returns the answer to a refused request. Nobody reads the answer if the client has disconnected."""
    status = error.status if isinstance(error, RefusedError) else 400
    headers = {"Retry-After": "2"} if status == 503 else {}
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)


REFUSALS = {RefusedError: refuse, ClientDisconnect: refuse}  # what an application's handlers may raise
