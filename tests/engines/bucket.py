"""A bucket on a real S3 server, versitygw, with the embedded sample in it, and a pipeline root.

`make test-prism` and `make test-spark` build the server, and name it in VERSITYGW.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from components.object_storage import RemoteFolder, configure
from tests.conftest import SAMPLE
from tests.engines.processes import end, free_port, listens, start, wait_until
from tests.engines.short_line import Run, run

VERSITYGW = os.environ.get("VERSITYGW")
NAME = "line"


class Bucket(NamedTuple):
    """A served bucket. Its address and credentials are in this process's environment, and in what that starts."""

    folder: Path  # of the server, of this machine's copies, and of whatever logs
    secret: str
    root: str = f"s3://{NAME}/root"
    data: str = f"s3://{NAME}/data/cifar10_sample/1.0.0"

    def run(self, *options: str) -> Run:
        """Runs the short line with its data and its root in the bucket."""
        return run(self.root, f"--set=ingest.dataset={self.data}", *options)

    def versions(self) -> set[str]:
        """The published ones, as the bucket has them."""
        folders = {file.name.split("/")[0] for file in RemoteFolder(f"{self.root}/pushed").files()}
        return {folder for folder in folders if folder.isdigit()}

    def files_with_secrets(self) -> list[Path]:
        """The files with a credential in them: of the bucket, of this machine's copies, and of all logs."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [path for path in files if self.secret.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """One for all tests of a module."""
    with serving(tmp_path_factory.mktemp("bucket")) as served:
        yield served


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Bucket]:
    """Starts the server, fills a bucket, and ends the server."""
    port, secret, before = free_port(), secrets.token_hex(16), dict(os.environ)
    (folder / "served" / NAME).mkdir(parents=True)
    variables = {**before, "ROOT_ACCESS_KEY": secret, "ROOT_SECRET_KEY": secret}
    command = [str(VERSITYGW), "--port", f"127.0.0.1:{port}", "posix", str(folder / "served")]
    server = start(command, folder / "versitygw.txt", variables)
    os.environ["PIPELINE_CACHE_DIR"] = str(folder / "cache")
    try:
        wait_until(lambda: listens(port), "versitygw", folder)
        address = (f"--s3_endpoint_url=http://127.0.0.1:{port}", "--s3_region_name=us-east-1")
        configure((*address, f"--s3_access_key_id={secret}", f"--s3_secret_access_key={secret}"))
        served = Bucket(folder, secret)
        RemoteFolder(served.data).upload(SAMPLE, [path.name for path in SAMPLE.iterdir()])
        yield served
    finally:
        os.environ.clear()
        os.environ.update(before)
        end([server])
