"""When `make` makes the environment anew."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
# Of a `make` that runs these tests its own settings would come along.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS", "MFLAGS")}


def python(path: Path, version: str) -> Path:
    """A program that says of itself that it is this Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("asked", "anew"), [(None, False), ("(3, 11)", False), ("(3, 12)", True)], ids=["none", "the same", "another"]
)
def test_the_environment_is_made_anew_for_another_python(tmp_path: Path, asked: str | None, anew: bool) -> None:
    python(tmp_path / "venv" / "bin" / "python", "(3, 11)")
    (tmp_path / "venv" / ".ready").touch()
    wanted = [] if asked is None else [f"PYTHON={python(tmp_path / 'python', asked)}"]
    command = ["make", "--dry-run", "run", f"VENV={tmp_path / 'venv'}", *wanted]
    finished = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert ("-m venv --clear" in finished.stdout) == anew
    assert "python -m pipeline.run --runner=DirectRunner" in finished.stdout
