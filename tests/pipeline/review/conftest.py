from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.pipeline.review.findings import Reviewed, record

REPOSITORY = Path(__file__).parents[3]


class Served(NamedTuple):
    """A running server."""

    url: str
    process: subprocess.Popen[str]


@pytest.fixture
def reviewed(tmp_path: Path) -> Reviewed:
    return record(tmp_path)


@contextmanager
def serving(reviewed: Reviewed, *options: str) -> Iterator[Served]:
    """A server as a person starts it, until the block ends."""
    given = options if any(option.startswith("--port") for option in options) else ("--port=0", *options)
    command = [sys.executable, "-m", "pipeline.review", f"--pipeline_root={reviewed.root}", *given]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Served(process.stdout.readline().split()[0], process)
    finally:
        process.terminate()
        assert process.wait(timeout=20) is not None
        process.stdout.close()
