"""Measures requests per second and latency of the demo: clients send photos one after another over HTTP.

    python -m benchmarks.demo --pipeline_root pipeline_output --clients 10 --seconds 10

The clients run on the same machine and share its cores with the server.
"""

from __future__ import annotations

import argparse
import http.client
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

ROW = "{:<26} {:>9} {:>12} {:>8} {:>8} {:>8}"


def main() -> None:
    """Prints one row for each kind of request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline_root", type=Path, default=Path("pipeline_output"), metavar="DIR")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0, help="the duration of each kind of request")
    options = parser.parse_args()
    with server(options.pipeline_root) as address:
        print(f"{options.clients} clients, {options.seconds:g} s each")
        print(ROW.format("request", "requests", "requests/s", "p50 ms", "p99 ms", "max ms"))
        for name, path, body in requests():
            measure(name, address, path, body, options.clients, options.seconds)


def requests() -> Iterator[tuple[str, str, bytes]]:
    """Yields (name, path, body) of each kind of request."""
    yield "a message", "/messages", b'{"member": "Ada", "text": "Hello"}'
    yield "a photo, 32 x 32, PNG", "/photos?member=Ada", photo(32, 32, "PNG")
    yield "a photo, 4000 x 3000, JPEG", "/photos?member=Ada", photo(4000, 3000, "JPEG")


def photo(width: int, height: int, format_: str) -> bytes:
    """Returns an encoded image of clouds, which is as hard to compress as a photo."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(data, format_, quality=90)
    return data.getvalue()


@contextmanager
def server(root: Path) -> Iterator[str]:
    """Runs the demo until the block ends. Yields its host and port once the model answers."""
    command = [sys.executable, "-m", "pipeline.demo", "--port=0", f"--pipeline_root={root}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().split()[0]).netloc
        try:
            send(http.client.HTTPConnection(address), "/photos?member=Ada", photo(32, 32, "PNG"))
            yield address
        finally:
            process.terminate()


def measure(name: str, address: str, path: str, body: bytes, clients: int, seconds: float) -> None:
    """Sends one kind of request from all clients until the time is over, and prints a row."""
    deadline = time.perf_counter() + seconds

    def client(_: int) -> list[float]:
        """Returns the seconds that each request took."""
        connection, taken = http.client.HTTPConnection(address), []
        while (started := time.perf_counter()) < deadline:
            send(connection, path, body)
            taken.append(time.perf_counter() - started)
        return taken

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        milliseconds = 1000 * np.concatenate(list(pool.map(client, range(clients))))
    rate = len(milliseconds) / (time.perf_counter() - started)
    p50, p99 = np.percentile(milliseconds, [50, 99])
    figures = (f"{figure:.0f}" for figure in (p50, p99, milliseconds.max()))
    print(ROW.format(name, len(milliseconds), f"{rate:.1f}", *figures), flush=True)


def send(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    """Sends one request. Raises RuntimeError unless the answer has status 201."""
    connection.request("POST", path, body, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != http.HTTPStatus.CREATED:
        raise RuntimeError(f"{path} was answered {answer.status}: {said.decode()}")


if __name__ == "__main__":
    main()
