"""Processes of an engine on this machine: a free port, a log each, and an end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 120


def free_port(address: str = "127.0.0.1") -> int:
    """A port of an address of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind((address, 0))
        return free.getsockname()[1]


def start(
    command: Sequence[str], log: Path, variables: Mapping[str, str] | None = None, own_session: bool = False
) -> subprocess.Popen[bytes]:
    """Starts a process in the log's folder; what it says goes into the log. Without `variables` it has ours."""
    with log.open("wb") as said:
        return subprocess.Popen(
            command,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=variables,
            start_new_session=own_session,
        )


def end(processes: Iterable[subprocess.Popen[bytes] | None]) -> None:
    """Kills what runs of them, and waits for it."""
    running = [process for process in processes if process is not None]
    for process in running:
        process.kill()
        process.wait()


def wait_until(ready: Callable[[], bool], what: str, logs: Path) -> None:
    """Waits until it is so. An OSError is an engine that does not answer yet. Raises TimeoutError."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {START_SECONDS} s. See {logs}/*.txt.")


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """True if a process of this machine answers there. Raises OSError if none does."""
    socket.create_connection((address, port), timeout=5).close()
    return True
