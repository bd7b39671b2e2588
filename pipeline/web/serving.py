"""Serves an application on this machine, at an address that the command's options name."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.orchestrator.console import libraries_write_to
from pipeline.web.trusted import Trusted, parse_host, parse_origin, trust

if TYPE_CHECKING:
    from starlette.applications import Starlette


def add_address_options(parser: argparse.ArgumentParser, port: int) -> None:
    """Adds the options that say where the page is served, and under which names it is reached."""
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine; 0.0.0.0 means all")
    parser.add_argument("--port", type=int, default=port, help="the port; 0 takes a free one")
    parser.add_argument(
        "--allow_host", action="append", default=[], type=parse_host, metavar="NAME",
        help="another name or address under which the server is reached; may be repeated. Its own ones need no option: "
        "localhost, the host name, and the address that a request arrives at",
    )  # fmt: skip
    parser.add_argument(
        "--origin", action="append", default=[], type=parse_origin, metavar="URL",
        help="the address of the page behind a proxy, such as https://chat.example; may be repeated",
    )  # fmt: skip


def parse_address(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses the arguments. Exits, as argparse does, if the port is none."""
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: expected 0 to 65535")
    return options


def trusted_by(options: argparse.Namespace) -> Trusted:
    """Returns the names and origins that the options trust."""
    return trust([options.host, *options.allow_host], options.origin)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens there. Raises UsageError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is named. Without it each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # from here on requests are queued, so the address can be printed
    except OSError as error:
        listening.close()
        raise UsageError(f"{host}:{port} cannot be used: {error.strerror}. Try another --host or --port.") from error
    return listening


def serve(
    app: Starlette, listening: socket.socket, host: str, note: str, close: Callable[[], None] = lambda: None
) -> None:
    """Serves until the process is interrupted. Prints the address, followed by the note.

    `close` is called when the server stops: it ends streams to open pages, which would otherwise keep the server.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            close()
            await super().shutdown(sockets)

    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)
    with libraries_write_to(Path(os.devnull), sys.stdout) as terminal, contextlib.suppress(KeyboardInterrupt):
        logging.basicConfig(stream=terminal, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        print(f"http://{shown}:{listening.getsockname()[1]}/ {note}; Ctrl-C ends it.", file=terminal)
        Server(config).run(sockets=[listening])
