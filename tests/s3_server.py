"""A server that speaks S3, in a process of its own, and that fails now and then.

    python -m tests.s3_server PORT FAIL_EVERY

Each FAIL_EVERY-th request is answered with 503 before S3 hears of it, and each FAIL_EVERY-th but one after S3 has done
what was asked: the client must ask again, and must not mind that it was done already. 0: none fails.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

UNAVAILABLE = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BUCKET = "line"


class S3(NamedTuple):
    """A running server with one empty bucket."""

    endpoint: str
    options: tuple[str, ...]  # of a command that finds it

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process that finds it."""
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return {name: option.partition("=")[2] for name, option in zip(names, self.options, strict=True)}


@contextlib.contextmanager
def s3_server(fail_every: int) -> Iterator[S3]:
    """Starts it, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.s3_server", str(port), str(fail_every)]
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, endpoint)
        keys = ("--s3_access_key_id=tester", "--s3_secret_access_key=not-told")
        yield S3(endpoint, (f"--s3_endpoint_url={endpoint}", *keys))
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], endpoint: str) -> None:
    """Until it answers; then makes the bucket."""
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    for _ in range(300):
        assert process.poll() is None, "the server did not start"
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)


class Flaky:
    """WSGI middleware that answers some requests with 503."""

    def __init__(self, application: Any, fail_every: int) -> None:
        self._application, self._fail_every = application, fail_every
        self._requests = itertools.count()

    def __call__(self, environment: Any, start_response: Any) -> Any:
        place = next(self._requests) % self._fail_every if self._fail_every else -1
        if place == 1:
            environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
            return self._unavailable(start_response)
        if place == 2:
            b"".join(self._application(environment, lambda *_: None))
            return self._unavailable(start_response)
        return self._application(environment, start_response)

    @staticmethod
    def _unavailable(start_response: Any) -> list[bytes]:
        start_response(
            "503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(UNAVAILABLE)))]
        )
        return [UNAVAILABLE]


def main() -> None:
    port, fail_every = map(int, sys.argv[1:])
    os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "50"  # so that listings come in several pages
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    application = Flaky(DomainDispatcherApplication(create_backend_app), fail_every)
    run_simple("127.0.0.1", port, application, threaded=True)


if __name__ == "__main__":
    main()
