"""When `make` makes the environment anew, and where it does not begin to."""

from __future__ import annotations

import os
import shutil
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


def set_up(folder: Path, platform: str) -> subprocess.CompletedProcess[str]:
    """What `make` says where `uname` names this platform. The Python is one that makes no environment."""
    uname = folder / "bin" / "uname"
    python(uname, platform)
    environment = {**ENVIRONMENT, "PATH": f"{uname.parent}:{ENVIRONMENT['PATH']}"}
    command = ["make", "run", f"VENV={folder / 'venv'}", f"PYTHON={python(folder / 'python', '(3, 11)')}"]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("platform", "missing"),
    [
        ("Darwin x86_64", "tensorflow, tfx-bsl and apache-beam"),
        ("Linux aarch64", "tfx-bsl and coremltools"),
        ("MINGW64_NT-10.0-19045 x86_64", "tfx-bsl and coremltools"),
        ("FreeBSD amd64", "tensorflow and tfx-bsl"),
    ],
    ids=["Intel Mac", "Linux on Arm", "Windows", "other"],
)
def test_a_platform_without_wheels_is_refused_before_anything_is_made(
    tmp_path: Path, platform: str, missing: str
) -> None:
    finished = set_up(tmp_path, platform)
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[0] == (
        f"{platform} found, for which {missing} have no wheels; Linux x86_64 and macOS arm64 are served. "
        "Try a container of Linux x86_64."
    )
    assert "making" not in finished.stdout


@pytest.mark.parametrize("target", ["test-prism", "test-spark", "test-gs"])
def test_an_engine_that_go_builds_is_refused_without_go(tmp_path: Path, target: str) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / ".ready").touch()
    (tmp_path / "bin").mkdir()
    for needed in ("python3", "uname", "sh"):
        (tmp_path / "bin" / needed).symlink_to(str(shutil.which(needed)))
    programs = {"PRISM": "prism", "VERSITYGW": "versitygw", "FAKE_GCS": "fake-gcs-server"}
    made = [f"{name}={tmp_path / 'v1' / program}" for name, program in programs.items()]
    command = [str(shutil.which("make")), target, f"VENV={tmp_path / 'venv'}", *made]
    environment = {**ENVIRONMENT, "PATH": str(tmp_path / "bin")}
    finished = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert finished.returncode == 2
    program = {"test-prism": "prism", "test-spark": "versitygw", "test-gs": "fake-gcs-server"}[target]
    assert finished.stderr.splitlines()[0] == (
        f"There is no go on the PATH, which builds {program}. Install Go 1.26 or newer."
    )


@pytest.mark.parametrize("platform", ["Linux x86_64", "Darwin arm64"])
def test_a_platform_with_all_wheels_is_served(tmp_path: Path, platform: str) -> None:
    finished = set_up(tmp_path, platform)
    assert "have no wheels" not in finished.stderr
    assert f"making {tmp_path / 'venv'}" in finished.stdout
