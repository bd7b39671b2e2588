"""The commands where almost nothing is: no network, no home, no terminal, no variables, a user whom nobody knows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS

REPOSITORY = Path(__file__).parents[2]
BARE = ["unshare", "--user", "--map-user=54321", "--map-group=54321", "--net", "env", "-i", "PATH=/usr/bin:/bin"]
NO_HOME = "begins with a home folder that is not known: HOME is not set"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [*BARE, sys.executable, *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPOSITORY)


@pytest.fixture(scope="module", autouse=True)
def _can_be_made() -> None:
    if shutil.which("unshare") is None or run("-c", "").returncode != 0:
        pytest.skip("this machine makes no user namespaces: no user without a home can be had")


def test_the_machine_is_bare() -> None:
    found = run("-c", "import os, pathlib; print(os.getuid(), os.listdir('/sys/class/net')); pathlib.Path.home()")
    assert found.stdout.startswith("54321 ")
    assert "Could not determine home directory" in found.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing(command: str) -> None:
    found = run("-m", "pipeline", command, "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"usage: python -m pipeline.{command} ")


def test_the_list_of_commands_needs_nothing() -> None:
    found = run("-m", "pipeline")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("usage: python -m pipeline COMMAND")


def test_the_embedded_sample_needs_neither_a_home_nor_the_network(tmp_path: Path) -> None:
    found = run("-m", "pipeline.run", f"--pipeline_root={tmp_path / 'root'}", "--to=normalize")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "normalize  ran" in found.stdout
    assert not (REPOSITORY / "~").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--plan", "--set=ingest.dataset=cifar10"], f"ingest.data_dir: ~/tensorflow_datasets {NO_HOME}"),
        (["run", "--plan", "--set=ingest.dataset=~/photos"], f"ingest.dataset: ~/photos {NO_HOME}"),
        (["look", "--set=ingest.dataset=~/photos"], f"ingest.dataset: ~/photos {NO_HOME}"),
        (["schedule", "--on_change", "--set=ingest.dataset=~/photos"], f"ingest.dataset: ~/photos {NO_HOME}"),
        (["run", "--plan", "--set=train.recipe=finetune_keras", "--set=train.backbone_weights=~/weights.h5"],
         f"train.backbone_weights: ~/weights.h5 {NO_HOME}"),
        (["run", "--plan", "--pipeline_root=s3://bucket/line"],
         f"PIPELINE_CACHE_DIR: ~/.cache/image_classifier_pipeline {NO_HOME}"),
        (["runs", "--pipeline_root=s3://bucket/line"],
         f"PIPELINE_CACHE_DIR: ~/.cache/image_classifier_pipeline {NO_HOME}"),
    ],
)  # fmt: skip
def test_what_does_need_a_home_says_so(words: list[str], message: str, tmp_path: Path) -> None:
    command, *options = words
    found = run("-m", f"pipeline.{command}", f"--pipeline_root={tmp_path}", *options)
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr
