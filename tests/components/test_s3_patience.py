from __future__ import annotations

import contextlib
import http.server
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from components import s3_patience, s3_requests
from tests.engines.processes import free_port


class Server:
    """Answers every request with a status. While it is away, nobody listens."""

    def __init__(self) -> None:
        self.port, self.status, self.requests = free_port(), 200, 0
        self._listening: Listener | None = None

    def start(self) -> None:
        self._listening = Listener(self)
        threading.Thread(target=self._listening.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._listening is not None:
            self._listening.shutdown()
            self._listening.server_close()
            self._listening = None


class Listener(http.server.ThreadingHTTPServer):
    def __init__(self, answers: Server) -> None:
        super().__init__(("127.0.0.1", answers.port), Answer)
        self.answers = answers


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_PUT(self) -> None:
        self.server.answers.requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.answers.status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """botocore itself does not send a request again: what is seen is patience."""
    made = Server()
    monkeypatch.setattr(s3_requests, "ATTEMPTS", 1)
    monkeypatch.setattr(s3_patience, "ATTEMPTS", 1)
    monkeypatch.setattr(s3_patience, "PAUSE_SECONDS", 0.05)
    for name in ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION"):
        monkeypatch.setenv(f"AWS_{name}", f"http://127.0.0.1:{made.port}" if name == "ENDPOINT_URL" else "us-east-1")
    yield made
    made.stop()
    s3_requests._make_client.cache_clear()


def write() -> None:
    s3_requests.write_object("bucket", "name", b"data")


def test_a_server_that_has_answered_is_waited_for(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.start()
    write()
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    write()
    back.join()
    assert server.requests == 2
    (said,) = [record for record in caplog.records if record.name == "components.s3_patience"]
    assert (said.levelno, "is waited for up to 120 s" in said.getMessage()) == (logging.WARNING, True)


def test_one_that_never_answered_is_not(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OSError, match="s3://bucket/name cannot be written: Could not connect"):
        write()
    assert caplog.records == []


def test_it_is_waited_for_within_a_bound_and_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_patience, "PATIENCE_SECONDS", 0.5)
    server.start()
    write()
    server.status, server.requests = 503, 0
    with pytest.raises(OSError, match="503"):
        write()
    assert server.requests > 2
    server.requests = 0
    with pytest.raises(OSError, match="503"):
        write()
    assert server.requests == 1
    server.status = 200
    write()
    server.status, server.requests = 503, 0
    with contextlib.suppress(OSError):
        write()
    assert server.requests > 2


def test_a_refusal_is_an_answer(server: Server) -> None:
    server.start()
    server.status = 403
    with pytest.raises(OSError, match="403"):
        write()
    assert server.requests == 1


def test_reads_that_are_cut_off_are_repeated_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import IncompleteReadError

    reads: list[float] = []

    def read() -> str:
        reads.append(time.monotonic())
        if len(reads) < 3:
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)
        return "whole"

    assert s3_patience.repeated(read) == "whole"
    monkeypatch.setattr(s3_patience, "PATIENCE_SECONDS", -1.0)
    reads.clear()
    with pytest.raises(IncompleteReadError):
        s3_patience.repeated(read)
    assert len(reads) == 2
