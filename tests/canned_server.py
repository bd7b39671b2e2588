"""A server that answers every request alike, in a thread of this process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


class Answer(NamedTuple):
    """What it answers."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: int, code: str, message: str = "No.", more: str = "") -> Answer:
    """What S3 answers where it refuses."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return Answer(status, body.encode(), (("Content-Type", "application/xml"),))


@contextlib.contextmanager
def answering(answer: Answer | Callable[[str, str], Answer], ahead_seconds: float = 0.0) -> Iterator[str]:
    """Starts it, and ends it; its address is in the environment meanwhile, with credentials.

    `answer` may depend on the method and the path of a request. The server's clock is ahead by `ahead_seconds`.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = answer if isinstance(answer, Answer) else answer(self.command, self.path)
            self.send_response(given.status)
            for name, value in (*given.headers, ("Content-Length", str(len(given.body)))):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            """Returns what the server takes for the time."""
            return formatdate(time.time() + ahead_seconds, usegmt=True)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.respond)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        patched.setenv("AWS_ACCESS_KEY_ID", "tester")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "not-told")
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
