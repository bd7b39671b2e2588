"""Bulk prediction by a worker that has another version of the code than the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.engines.processes import end, free_port, listens, start, wait_until

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a worker is hired that names fewer classes."""
    for package in ("components", "pipeline"):
        ignored = shutil.ignore_patterns("__pycache__", "datasets")
        shutil.copytree(REPOSITORY / package, tmp_path / "code" / package, ignore=ignored)
    with (tmp_path / "code" / "pipeline" / "predict" / "row.py").open("a") as file:
        file.write("\nNEXT_CLASSES = 3\n")
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "code")}
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    process = start(command, tmp_path / "worker.txt", variables)
    try:
        wait_until(lambda: listens(port), "the worker", tmp_path)
        yield port
    finally:
        end([process])


def test_it_is_refused_by_name_and_no_row_is_written(sample_root: Path, port: int, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "photos" / "1.png")
    places = [f"--pipeline_root={sample_root}", f"--input={tmp_path}/photos", f"--output={tmp_path}/rows"]
    engine = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"]
    command = [sys.executable, "-m", "pipeline.predict", *places, *engine, f"--environment_config=127.0.0.1:{port}"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1, ended.stderr
    assert "has other code than the command, and so does not begin bulk prediction: 1 file differs" in ended.stderr
    assert "(pipeline/predict/row.py). Give the command --setup_file=./setup.py" in ended.stderr
    assert not list((tmp_path / "rows").glob("*.parquet"))
