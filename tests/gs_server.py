"""A server that speaks as much of Google's JSON interface as our requests need, and that fails now and then.

It runs in threads of the tests' own process. `make test-gs` has fake-gcs-server in its place, and names it in FAKE_GCS.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from tests.engines.processes import free_port
from tests.s3_server import BUCKET

FAKE_GCS = os.environ.get("FAKE_GCS")
PAGE = 50  # objects of a listing


@contextlib.contextmanager
def gs_server(fail_every: int) -> Iterator[str]:
    """Starts a server with one empty bucket, and ends it. Yields its address."""
    with real_server(FAKE_GCS) if FAKE_GCS else own_server(fail_every) as endpoint:
        yield endpoint


@contextlib.contextmanager
def own_server(fail_every: int) -> Iterator[str]:
    """Each `fail_every`-th request is answered with 503 before it is looked at, and the next one after it was done."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.store, server.fail_every = Store(), fail_every  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def real_server(program: str) -> Iterator[str]:
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    options = ("-scheme=http", "-host=127.0.0.1", f"-port={port}", f"-external-url={endpoint}", "-backend=memory")
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        make_bucket(endpoint)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def make_bucket(endpoint: str) -> None:
    """Makes it as soon as the server answers."""
    body = json.dumps({"name": BUCKET}).encode()
    request = urllib.request.Request(f"{endpoint}/storage/v1/b", body, {"Content-Type": "application/json"})
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)


class Stored(NamedTuple):
    name: str
    data: bytes
    generation: int

    @property
    def checksum(self) -> str:
        return base64.b64encode(google_crc32c.Checksum(self.data).digest()).decode()

    def described(self) -> dict[str, str]:
        numbers = {"size": str(len(self.data)), "generation": str(self.generation)}
        return {"name": self.name, "crc32c": self.checksum, **numbers}


class Answer(NamedTuple):
    status: int
    body: Any = b""  # bytes, or what JSON can say
    headers: tuple[tuple[str, str], ...] = ()


class Store:
    """One bucket. Whatever a request asks for is done while no other one is looked at."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, tuple[str, bytearray, str | None]] = {}
        self.lock, self.requests = threading.Lock(), itertools.count()

    def write(self, name: str, data: bytes, wanted: str | None) -> Answer:
        """Writes an object, if the one that is there has the wanted generation."""
        last = self.objects[name].generation if name in self.objects else 0
        if wanted is not None and int(wanted) != last:
            return refused(HTTPStatus.PRECONDITION_FAILED)
        self.objects[name] = Stored(name, data, max(last + 1, time.time_ns() // 1000))
        return Answer(HTTPStatus.OK, self.objects[name].described())

    def read(self, name: str, wanted: str | None) -> Answer:
        there = self.objects.get(name)
        if there is None:
            return refused(HTTPStatus.NOT_FOUND)
        if wanted is not None and int(wanted) != there.generation:
            return refused(HTTPStatus.PRECONDITION_FAILED)
        said = (("X-Goog-Generation", str(there.generation)), ("X-Goog-Hash", f"crc32c={there.checksum}"))
        return Answer(HTTPStatus.OK, there.data, said)

    def describe(self, name: str) -> Answer:
        there = self.objects.get(name)
        return refused(HTTPStatus.NOT_FOUND) if there is None else Answer(HTTPStatus.OK, there.described())

    def remove(self, name: str) -> Answer:
        there = self.objects.pop(name, None)
        return refused(HTTPStatus.NOT_FOUND) if there is None else Answer(HTTPStatus.NO_CONTENT)

    def list(self, prefix: str, after: str) -> Answer:
        names = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        page = {"items": [self.objects[name].described() for name in names[:PAGE]]}
        return Answer(HTTPStatus.OK, page | ({"nextPageToken": names[PAGE - 1]} if names[PAGE:] else {}))

    def begin_upload(self, name: str, wanted: str | None, address: str) -> Answer:
        upload = str(len(self.uploads))
        self.uploads[upload] = (name, bytearray(), wanted)
        return Answer(HTTPStatus.OK, {}, (("Location", f"{address}&upload_id={upload}"),))

    def add_part(self, upload: str, data: bytes, place: str) -> Answer:
        """Adds a part at its place, `bytes 0-99/300`; the last one makes the object."""
        name, so_far, wanted = self.uploads[upload]
        so_far[int(place.split()[1].split("-")[0]) :] = data
        if len(so_far) < int(place.rpartition("/")[2]):
            return Answer(HTTPStatus.PERMANENT_REDIRECT, b"", (("Range", f"bytes=0-{len(so_far) - 1}"),))
        return self.write(name, bytes(so_far), wanted)


def refused(status: HTTPStatus) -> Answer:
    return Answer(status, {"error": {"code": status, "message": status.phrase}})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        """Answers any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        store, every = self.server.store, self.server.fail_every  # type: ignore[attr-defined]
        place = next(store.requests) % every if every else -1
        answer = Answer(HTTPStatus.SERVICE_UNAVAILABLE)
        if place != 1:
            with store.lock:
                done = self.find(store, body)
            answer = answer if place == 2 else done
        self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def find(self, store: Store, body: bytes) -> Answer:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        _, _, place = url.path.partition("/storage/v1/b/")
        bucket, _, name = place.partition("/o/")
        if bucket.removesuffix("/o") != BUCKET:
            return refused(HTTPStatus.NOT_FOUND)
        if url.path.startswith("/upload/"):
            return self.upload(store, asked, body)
        if not name:
            is_listing = bucket.endswith("/o")
            listed = store.list(asked.get("prefix", ""), asked.get("pageToken", ""))
            return listed if is_listing else Answer(HTTPStatus.OK, {"name": BUCKET})
        if self.command == "DELETE":
            return store.remove(unquote(name))
        if asked.get("alt") == "media":
            return store.read(unquote(name), asked.get("ifGenerationMatch"))
        return store.describe(unquote(name))

    def upload(self, store: Store, asked: dict[str, str], body: bytes) -> Answer:
        if "upload_id" in asked:
            return store.add_part(asked["upload_id"], body, self.headers["Content-Range"])
        wanted = asked.get("ifGenerationMatch")
        if asked["uploadType"] == "resumable":
            return store.begin_upload(json.loads(body)["name"], wanted, f"http://{self.headers['Host']}{self.path}")
        _, described, data, _ = body.split(b"--" + str(self.headers.get_boundary()).encode())
        described, data = (each.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for each in (described, data))
        return store.write(json.loads(described)["name"], data, wanted)

    def send(self, answer: Answer) -> None:
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
