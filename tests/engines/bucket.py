"""A bucket on a real S3 server, versitygw, with the embedded sample in it, and a pipeline root.

The targets of the Makefile for engines build the server, and name it in VERSITYGW. All requests go through a front that
fails some of them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.object_storage import RemoteFolder, configure
from tests.conftest import SAMPLE
from tests.engines.processes import end, free_port, listens, start, wait_until
from tests.engines.short_line import REPOSITORY, Run, run

VERSITYGW = os.environ.get("VERSITYGW")
NAME = "line"
REGION = "us-east-1"
FAIL_EVERY = 30  # requests: two of them
SECRET = secrets.token_hex(16)  # of each server: the client keeps the first credentials of its process


class Bucket(NamedTuple):
    """A served bucket. Its address and credentials are in this process's environment, and in what that starts."""

    folder: Path  # of the server, of this machine's copies, and of whatever logs
    secret: str
    front: subprocess.Popen[bytes]  # while it is stopped, the bucket is away
    root: str = f"s3://{NAME}/root"
    data: str = f"s3://{NAME}/data/cifar10_sample/1.0.0"
    artifacts: str = f"s3://{NAME}/artifacts"  # where an engine may keep the code of its jobs

    @property
    def options(self) -> list[str]:
        """What makes a line read its images there."""
        return [f"--set=ingest.dataset={self.data}"]

    def run(self, *options: str) -> Run:
        """Runs the short line with its data and its root in the bucket."""
        return run(self.root, *self.options, *options)

    def versions(self) -> set[str]:
        """The published ones, as the bucket has them."""
        folders = {file.name.split("/")[0] for file in RemoteFolder(f"{self.root}/pushed").files()}
        return {folder for folder in folders if folder.isdigit()}

    def files_with_secrets(self) -> list[Path]:
        """The files with a credential in them: of the bucket, of copies and disks in the folder, and of all logs."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [path for path in files if self.secret.encode() in path.read_bytes()]


@contextlib.contextmanager
def serving(folder: Path, address: str = "127.0.0.1") -> Iterator[Bucket]:
    """Starts the server and its front on an address of this machine, fills a bucket, and ends them."""
    behind, port, secret, before = free_port(), free_port(address), SECRET, dict(os.environ)
    (folder / "served" / NAME).mkdir(parents=True)
    variables = {**before, "ROOT_ACCESS_KEY": secret, "ROOT_SECRET_KEY": secret}
    command = [str(VERSITYGW), "--port", f"127.0.0.1:{behind}", "posix", str(folder / "served")]
    server = start(command, folder / "versitygw.txt", variables)
    numbers = map(str, (port, behind, FAIL_EVERY))
    command = [sys.executable, "-m", "tests.engines.flaky_front", address, *numbers]
    front = start(command, folder / "front.txt", {**before, "PYTHONPATH": str(REPOSITORY)})
    os.environ |= {"PIPELINE_CACHE_DIR": str(folder / "cache"), "AWS_REGION": REGION}  # the latter for Java
    try:
        wait_until(lambda: listens(behind), "versitygw", folder)
        wait_until(lambda: listens(port, address), "the front of the bucket", folder)
        place = (f"--s3_endpoint_url=http://{address}:{port}", f"--s3_region_name={REGION}")
        configure((*place, f"--s3_access_key_id={secret}", f"--s3_secret_access_key={secret}"))
        served = Bucket(folder, secret, front)
        RemoteFolder(served.data).upload(SAMPLE, [path.name for path in SAMPLE.iterdir()])
        yield served
    finally:
        os.environ.clear()
        os.environ.update(before)
        end([server, front])
