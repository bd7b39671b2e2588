"""A command that is killed, a bucket that is away for a while, and what must be so in the end all the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.object_storage import RemoteFolder
from components.registry.layout import LATEST
from components.registry.listing import Listing
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.store.opening import open_store
from tests.engines.bucket import Bucket
from tests.engines.processes import end, listens, start, wait_until
from tests.engines.short_line import REPOSITORY, Run, command

WAIT_SECONDS = 600  # for anything; a loaded machine takes minutes where a free one takes seconds
LOOKING_SECONDS = 0.002
AWAY_SECONDS = 30.0


class Driver:
    """The command on a machine, with a home and a cache there: one more machine, unless it is that of another one."""

    def __init__(self, bucket: Bucket, run_id: str, *options: str, beside: Driver | None = None) -> None:
        self.run_id, self.bucket = run_id, bucket
        own_disk = bucket.folder / "drivers" / f"{bucket.root.rpartition('/')[2]}-{time.monotonic_ns()}"
        self.disk: Path = own_disk if beside is None else beside.disk
        self.disk.mkdir(parents=True, exist_ok=True)
        self._out, self._errors = (self.disk / f"{run_id}-{name}.txt" for name in ("out", "errors"))
        own = {"HOME": str(self.disk), "PIPELINE_CACHE_DIR": str(self.disk / "cache")}
        arguments = command(bucket.root, f"--run_id={run_id}", *bucket.options, *options)
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                arguments, stdout=out, stderr=errors, cwd=REPOSITORY, env={**os.environ, **own}, start_new_session=True
            )

    def wait_until(self, is_so: Callable[[], Any]) -> None:
        """Raises an error if the command ends before it is so."""
        give_up = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert self.process.poll() is None, self.told()
            assert time.monotonic() < give_up, self.told()
            time.sleep(LOOKING_SECONDS)

    def wait_for(self, component: str, reached: Callable[[NodeRecord], bool] = lambda node: True) -> NodeRecord:
        """Until the component has come as far, and is at work."""

        def has_reached() -> bool:
            node = self.node(component)
            assert node.state in ("waiting", "running"), f"too fast, or failed: {node}"
            return node.state == "running" and reached(node)

        self.wait_until(has_reached)
        return self.node(component)

    def node(self, component: str) -> NodeRecord:
        """Its state, as its worker tells the bucket, or else this machine."""
        return self.folders(lambda folder: folder.read_node(component).state != "waiting").read_node(component)

    def scanned_by(self, component: str) -> list[str]:
        """The workers of its shards."""
        return self.folders(lambda folder: bool(folder.scanned_by(component))).scanned_by(component)

    def folders(self, knows: Callable[[RunFolder], bool]) -> RunFolder:
        """The first folder of the run that knows something: in the bucket, or in this machine's copy of the root."""
        roots = [served(self.bucket), *(self.disk / "cache").glob(f"*/{self.bucket.root.rpartition('/')[2]}")]
        found = [RunFolder(root, self.run_id) for root in roots]
        return next(filter(knows, found), found[0])

    def kill(self) -> None:
        """Kills the command, and leaves alone what it has started."""
        self.process.kill()
        self.process.wait()

    def lose(self) -> None:
        """Kills all that runs there, and removes the disk."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.disk, ignore_errors=True)

    def end(self) -> dict[str, Any]:
        """The report of a run that ends well."""
        assert self.process.wait(WAIT_SECONDS) == 0, self.told()
        return self.report

    @property
    def report(self) -> dict[str, Any]:
        """What it has said last."""
        return json.loads(self._out.read_text().splitlines()[-1])

    def told(self) -> str:
        """All that it has said."""
        return self._out.read_text() + self._errors.read_text()


class Outages:
    """Makes a bucket be away."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._front = bucket, bucket.front

    def refuse(self, seconds: float = AWAY_SECONDS) -> None:
        """Nobody listens meanwhile."""
        self.begin()
        time.sleep(seconds)
        self.finish()

    def hang(self, seconds: float = AWAY_SECONDS) -> None:
        """Whoever listens does not answer meanwhile."""
        self._front.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._front.send_signal(signal.SIGCONT)

    def begin(self) -> None:
        """Nobody listens from now on."""
        end([self._front])

    def finish(self) -> None:
        """Somebody listens again."""
        assert isinstance(self._front.args, list)
        log, address, port = self._bucket.folder / "front_again.txt", *self._front.args[3:5]
        self._front = start(self._front.args, log, {**os.environ, "PYTHONPATH": str(REPOSITORY)})
        wait_until(lambda: listens(int(port), address), "the front of the bucket", self._bucket.folder)

    def close(self) -> None:
        """Ends the front that was started last."""
        end([self._front])


def served(bucket: Bucket) -> Path:
    """The folder in which the server keeps the objects of the root."""
    return bucket.folder / "served" / bucket.root.partition("://")[2]


def assert_as_undisturbed(bucket: Bucket, report: dict[str, Any], undisturbed: Run) -> None:
    """The same artifacts, whole; one version, whole, with `latest` on it; nothing else but attempts; no credentials."""
    pushed = Listing(RemoteFolder(f"{bucket.root}/pushed").files())
    (version,) = pushed.whole
    assert RemoteFolder(f"{bucket.root}/pushed").read(LATEST) == f"{version}\n".encode()
    differs = {"push"} if version > 1 else set()  # its artifact says the number; that of a killed push may be lost
    digests = {node["component"]: node["digest"] for node in report["nodes"]}
    assert _without(digests, differs) == _without(undisturbed.digests, differs)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PIPELINE_CACHE_DIR", str(bucket.folder / "looking" / str(time.monotonic_ns())))
        store = open_store(bucket.root)
        manifests = list(store.manifests())
        assert {manifest.component for manifest in manifests} == digests.keys()
        for manifest in manifests:
            assert store.faults(manifest) == []
            store.fetch(manifest)  # compares its bytes with its digest, and those of a version with its provenance
    assert not any("/scratch/" in file.name for file in RemoteFolder(bucket.root).files())
    assert bucket.files_with_secrets() == []


def _without(digests: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: digest for name, digest in digests.items() if name not in names}
