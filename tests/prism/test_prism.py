"""The whole line on Prism, Beam's own portable runner for one machine, with its data and its root in a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.bucket import Bucket, serving
from tests.engines.processes import end, free_port, listens, start, wait_until
from tests.engines.short_line import Run, run

PRISM = os.environ.get("PRISM")
pytestmark = [pytest.mark.prism, pytest.mark.skipif(not PRISM, reason="asked for by `make test-prism`")]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with serving(tmp_path_factory.mktemp("bucket")) as served:
        yield served


@pytest.fixture(scope="module")
def prism(bucket: Bucket) -> Iterator[list[str]]:
    """The options that make the command run there. The workers are threads of the command."""
    port = free_port()
    command = [str(PRISM), f"--job_port={port}", "--serve_http=false"]
    process = start(command, bucket.folder / "prism.txt", {**os.environ, "TMPDIR": str(bucket.folder)})
    try:
        wait_until(lambda: listens(port), "Prism", bucket.folder)
        yield ["--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{port}", "--environment_type=LOOPBACK"]
    finally:
        end([process])


@pytest.fixture(scope="module")
def on_prism(bucket: Bucket, prism: list[str]) -> Run:
    return bucket.run(*prism)


def test_one_version_is_pushed(bucket: Bucket, on_prism: Run) -> None:
    assert on_prism.report["status"] == "pushed"
    assert bucket.versions() == {"1"}


def test_a_second_run_has_nothing_to_do(bucket: Bucket, prism: list[str], on_prism: Run) -> None:
    assert bucket.run(*prism).report["status"] == "nothing to do"


def test_credentials_are_in_no_log_and_no_record(bucket: Bucket, on_prism: Run) -> None:
    assert bucket.files_with_secrets() == []


def test_artifacts_are_those_of_the_direct_runner(on_prism: Run, tmp_path: Path) -> None:
    assert on_prism.digests == run(tmp_path).digests
