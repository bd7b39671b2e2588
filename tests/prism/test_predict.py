"""Bulk prediction on Prism, by a worker that shares nothing with the command but a bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.object_storage import RemoteFolder
from tests.engines.bucket import Bucket, serving
from tests.engines.processes import end, free_port, listens, start, wait_until
from tests.engines.short_line import REPOSITORY

PRISM = os.environ.get("PRISM")
pytestmark = [pytest.mark.prism, pytest.mark.skipif(not PRISM, reason="asked for by `make test-prism`")]
PHOTOS = 600
STORAGE = {
    "AWS_ENDPOINT_URL": "s3_endpoint_url",
    "AWS_ACCESS_KEY_ID": "s3_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_access_key",
    "AWS_DEFAULT_REGION": "s3_region_name",
}


@pytest.fixture(scope="module")
def bucket(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """One with a published version and with photos, one of which is none."""
    photos, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(PHOTOS - 1):
        Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)).save(photos / f"{number:03d}.png")
    (photos / "broken.jpg").write_text("no photo")
    with serving(tmp_path_factory.mktemp("bucket")) as served:
        RemoteFolder("s3://line/photos").upload(photos, os.listdir(photos))
        version = sample_root / "pushed" / "1"
        names = [str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()]
        RemoteFolder(f"{served.root}/pushed/1").upload(version, names)
        yield served


@pytest.fixture(scope="module")
def worker(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The home of a worker without credentials or address of the bucket, and the port at which it is hired."""
    home, port = tmp_path_factory.mktemp("worker"), free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    process = start(command, home / "worker.txt", variables)
    try:
        wait_until(lambda: listens(port), "the worker", home)
        yield home, port
    finally:
        end([process])


@pytest.fixture(scope="module")
def command(bucket: Bucket, worker: tuple[Path, int]) -> Iterator[list[str]]:
    """Predicts the photos in the bucket on Prism."""
    port = free_port()
    prism = [str(PRISM), f"--job_port={port}", "--serve_http=false"]
    process = start(prism, bucket.folder / "prism.txt", {**os.environ, "TMPDIR": str(bucket.folder)})
    places = [f"--pipeline_root={bucket.root}", "--input=s3://line/photos", "--output=s3://line/rows"]
    engine = ["--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{port}", "--environment_type=EXTERNAL"]
    storage = [f"--{option}={os.environ[name]}" for name, option in STORAGE.items()]
    try:
        wait_until(lambda: listens(port), "Prism", bucket.folder)
        start_line = [sys.executable, "-m", "pipeline.predict", *places, *engine, *storage]
        yield [*start_line, f"--environment_config=127.0.0.1:{worker[1]}"]
    finally:
        end([process])


@pytest.fixture(scope="module")
def predicted(command: list[str]) -> str:
    """What the command says."""
    finished = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_each_photo_has_a_row(bucket: Bucket, predicted: str, tmp_path: Path) -> None:
    assert f"version 1: {PHOTOS} photos, 1 of them without a prediction; {PHOTOS} in " in predicted
    rows = RemoteFolder("s3://line/rows")
    rows.fetch([file for file in rows.files() if file.name.endswith(".parquet")], tmp_path)
    table = pq.read_table(tmp_path)
    assert sorted(table["file"].to_pylist()) == [*(f"{number:03d}.png" for number in range(PHOTOS - 1)), "broken.jpg"]
    assert table["error"].null_count == PHOTOS - 1


def test_the_worker_fetched_the_model_and_the_command_did_not(
    bucket: Bucket, worker: tuple[Path, int], predicted: str
) -> None:
    assert list(worker[0].rglob("saved_model.pb"))
    assert list((bucket.folder / "cache").rglob("model_card.json"))
    assert not list((bucket.folder / "cache").rglob("saved_model.pb"))


def test_the_same_command_has_nothing_to_do(command: list[str], predicted: str) -> None:
    again = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert again.stdout.startswith(f"{PHOTOS} photos, {PHOTOS} of them predicted before\n")


def test_credentials_are_in_no_row_and_no_log(bucket: Bucket, worker: tuple[Path, int], predicted: str) -> None:
    assert bucket.files_with_secrets() == []
    assert bucket.secret not in (worker[0] / "worker.txt").read_text()
