"""Workers that have another version of the code than the command, or none of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.local_copies import local_copy
from components.object_storage import RemoteFolder
from pipeline.orchestrator.run_record import RunFolder
from pipeline.orchestrator.worker_error import innermost
from tests.pipeline.runners.test_apart import REPOSITORY, graph, own_home, run_apart
from tests.s3_server import S3

pytestmark = pytest.mark.long
IGNORED = shutil.ignore_patterns("__pycache__", "datasets")


def with_code(machines: Path, code: Path) -> str:
    return own_home(machines).replace(f"PYTHONPATH={REPOSITORY}", f"PYTHONPATH={code}")


def test_workers_with_another_version_of_the_code_make_nothing(s3: S3, url: str, tmp_path: Path) -> None:
    for package in ("components", "pipeline", "tests"):
        shutil.copytree(REPOSITORY / package, tmp_path / "code" / package, ignore=IGNORED)
    with (tmp_path / "code" / "pipeline" / "store" / "packing.py").open("a") as file:
        file.write("\n\ndef added() -> int:\n    return 1\n")
    with pytest.raises(Exception, match="has other code") as caught:
        run_apart(url, tmp_path / "machines", s3.options, graph, lambda folder: with_code(folder, tmp_path / "code"))
    said = innermost(caught.value)
    assert "has other code than the command, and so does not begin ingest: 1 file differs" in said
    assert "(pipeline/store/packing.py). Give the command --setup_file=./setup.py" in said
    assert RunFolder(local_copy(url), "one").read_node("ingest").state == "failed"
    assert RemoteFolder(url).files("ingest") == []


def test_workers_without_the_code_are_told_of(s3: S3, url: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="No module named") as caught:
        run_apart(url, tmp_path / "machines", s3.options, graph, lambda folder: with_code(folder, Path("/nowhere")))
    said = innermost(caught.value)
    assert said.startswith("A worker does not have this project's code (No module named 'pipeline")
