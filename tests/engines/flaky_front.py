"""A server that all requests to another one go through, and that fails now and then, as `tests.s3_server` does.

python -m tests.engines.flaky_front ADDRESS PORT SERVER_PORT FAIL_EVERY
"""

from __future__ import annotations

import http.client
import sys
from typing import Any

from tests.s3_server import Flaky

# They belong to one of the two connections.
BETWEEN_TWO = ("CONNECTION", "EXPECT", "KEEP_ALIVE", "TRANSFER_ENCODING")


class Forward:
    """WSGI application that passes requests on as they came, since they are signed."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, environment: Any, start_response: Any) -> list[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        target = environment["REQUEST_URI"]
        connection.putrequest(environment["REQUEST_METHOD"], target, skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(environment):
            connection.putheader(name, value)
        connection.endheaders(environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0)))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        start_response(
            f"{answer.status} {answer.reason}", [each for each in answer.getheaders() if _is_passed(each[0])]
        )
        return [body]


class Once:
    """WSGI middleware that fails no POST: what ends an upload in parts, S3 takes twice, and versitygw once."""

    def __init__(self, flaky: Any, steady: Any) -> None:
        self._flaky, self._steady = flaky, steady

    def __call__(self, environment: Any, start_response: Any) -> Any:
        application = self._steady if environment["REQUEST_METHOD"] == "POST" else self._flaky
        return application(environment, start_response)


def _headers(environment: Any) -> list[tuple[str, str]]:
    named = {name.removeprefix("HTTP_"): value for name, value in environment.items() if name.startswith("HTTP_")}
    named |= {name: environment[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environment.get(name)}
    return [(name.replace("_", "-"), value) for name, value in named.items() if _is_passed(name)]


def _is_passed(name: str) -> bool:
    return name.upper().replace("-", "_") not in BETWEEN_TWO


def main() -> None:
    from werkzeug.serving import run_simple

    address, *numbers = sys.argv[1:]
    port, server_port, fail_every = map(int, numbers)
    forward = Forward(server_port)
    run_simple(address, port, Once(Flaky(forward, fail_every), forward), threaded=True)


if __name__ == "__main__":
    main()
