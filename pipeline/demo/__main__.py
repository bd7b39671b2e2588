"""`python -m pipeline.demo`: serves the chat on this machine."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from components.registry.layout import pushed_folder
from pipeline.demo.trusted import Trusted, parse_host, parse_origin, trust
from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.console import libraries_write_to
from pipeline.store.opening import DEFAULT_ROOT, local_root
from pipeline.text import print_any_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the chat until it is interrupted. Returns the exit code."""
    print_any_text()
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: expected 0 to 65535")
    try:
        pushed = pushed_folder(local_root(options.pipeline_root))
        listening = _listen(options.host, options.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        where = f"{options.host}:{options.port}"
        print(f"error: {where} cannot be used: {error.strerror}. Try another --host or --port.", file=sys.stderr)
        return ExitCode.USAGE
    _serve(listening, pushed, options.host, trust([options.host, *options.allow_host], options.origin))
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.demo",
        description="Serves a small chat: drop a photo, and the published model writes the caption. It follows new "
        "pushes and rollbacks, and keeps everything in memory. Only this machine can reach it unless --host says "
        "otherwise.",
    )
    parser.add_argument("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine; 0.0.0.0 means all")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one")
    parser.add_argument(
        "--allow_host", action="append", default=[], type=parse_host, metavar="NAME",
        help="another name or address under which the server is reached; may be repeated. Its own ones need no option: "
        "localhost, the host name, and the address that a request arrives at",
    )  # fmt: skip
    parser.add_argument(
        "--origin", action="append", default=[], type=parse_origin, metavar="URL",
        help="the address of the page behind a proxy, such as https://chat.example; may be repeated",
    )  # fmt: skip
    return parser


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is named. Without it each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen()  # from here on requests are queued, so the address can be printed
    return listening


def _serve(listening: socket.socket, pushed: Path, host: str, trusted: Trusted) -> None:
    import uvicorn

    from pipeline.demo.app import make_app

    app = make_app(pushed, trusted)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.room.close()  # open pages would otherwise keep the server from stopping
            await super().shutdown(sockets)

    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)
    with libraries_write_to(Path(os.devnull), sys.stdout) as terminal, contextlib.suppress(KeyboardInterrupt):
        logging.basicConfig(stream=terminal, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        print(f"http://{shown}:{listening.getsockname()[1]}/ follows {pushed}; Ctrl-C ends it.", file=terminal)
        Server(config).run(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
