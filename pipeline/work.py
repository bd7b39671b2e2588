"""One component's work in one run, wherever it is done: look the key up; on a miss, work in an attempt and commit."""

from __future__ import annotations

import contextlib
import datetime
import errno
import platform
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from components.artifacts import Artifact
from components.component import Component, Refusal, Scan, Workspace
from components.remote import configure
from pipeline.errors import Stopped
from pipeline.record import NodeRecord, NodeState, RunFolder, this_worker
from pipeline.remote_store import RemoteStore
from pipeline.source import code_digests
from pipeline.store import Attempt, Identity, Made, Manifest, Store

ABSENT = "absent"  # the fingerprint of a source that is not there yet
REPORT_SECONDS = 0.25  # between two reports of progress
LIBRARIES = ("tensorflow", "keras", "tensorflow-datasets", "apache-beam", "coremltools", "tensorflow-model-analysis")


class Opened(NamedTuple):
    """What a look-up came to: a manifest, or an attempt to make one."""

    manifest: Manifest | None
    identity: Identity
    attempt: Attempt | None
    started: float  # seconds since 1970


def identify(component: Component, root: Path, inputs: Iterable[Manifest]) -> Identity:
    """All that decides what the component would make of these inputs, as things are now."""
    digests = {manifest.component: manifest.digest for manifest in inputs}
    fingerprint = component.fingerprint(root, digests)
    return Identity(
        component=component.name,
        config=component.identity(),
        code=code_digests(type(component).__module__),
        inputs=digests,
        fingerprint=ABSENT if fingerprint is None else fingerprint,
    )


@dataclass(frozen=True)
class Work:
    """What a worker must know to do one component's part of a run. It travels there pickled."""

    component: Component
    upstream: tuple[Component, ...]
    root: Path
    run_id: str
    url: str = ""  # of the storage that the root is a copy of
    forced: bool = False
    beam_args: tuple[str, ...] = ()

    def open(self, *inputs: Manifest) -> Opened:
        """Looks the key up. On a miss there is an attempt to work in."""
        with self._reporting_failure():
            started = time.time()
            identity = identify(self.component, self.root, inputs)
            found = self._find(identity)
            if found is not None:
                return Opened(self._hit(found, started), identity, None, started)
            if self._run_folder.stopping:
                raise Stopped(
                    f"The run was told to stop before {self.component.name}. The same command goes on from there."
                )
            self._run_folder.write_node(self._node("running", started=started, key=identity.key))
            # Whoever retries the look-up of a scan goes on in the same folder: its shards are replaced whole.
            name = self.run_id if isinstance(self.component, Scan) else None
            return Opened(None, identity, self._store.open_attempt(identity, name), started)

    def run(self, *inputs: Manifest) -> Manifest:
        """The whole of a component that is one call on one worker."""
        opened = self.open(*inputs)
        return opened.manifest or self._make(opened, inputs, self.component.run)

    def shards(self, opened: Opened, *inputs: Manifest) -> Iterable[Any]:
        """What a scanning component spreads over the workers: nothing, if there is nothing to do."""
        if opened.attempt is None:
            return []
        assert isinstance(self.component, Scan)
        with self._reporting_failure(opened):
            shards = list(self.component.shards(self._workspace(opened, inputs), *self._load(inputs)))
            node = self._node("running", started=opened.started, key=opened.identity.key)
            self._run_folder.write_scan(node, len(shards))
            return shards

    def begin(self, shard: Any) -> Any:
        """Passes a shard on to its scan, and counts it for those who watch."""
        self._run_folder.begin_shard(self.component.name)
        return shard

    def gather(self, opened: Opened, *inputs: Manifest, results: list[Any]) -> Manifest:
        """The end of a scanning component."""
        scan = self.component
        assert isinstance(scan, Scan)
        if opened.manifest is not None:
            return opened.manifest
        found = self._find(opened.identity)  # the bundle ran before, or another run was sooner
        if found is not None:
            return self._concede(opened, found)
        return self._make(opened, inputs, lambda workspace, *artifacts: scan.gather(workspace, results, *artifacts))

    def _find(self, identity: Identity) -> Manifest | None:
        """A hit. In a forced run only what this run itself has made is one."""
        found = self._store.find(self.component.name, identity.key)
        return None if found is not None and self.forced and found.made.run_id != self.run_id else found

    def _hit(self, found: Manifest, started: float) -> Manifest:
        self._report_end("ran" if found.made.run_id == self.run_id else "cached", found, started)
        return found

    def _concede(self, opened: Opened, found: Manifest) -> Manifest:
        """Takes what is there instead of what this attempt would have made."""
        assert opened.attempt is not None
        if opened.attempt.folder != self.root / found.folder:
            self._store.abandon(opened.attempt)
        return self._hit(found, opened.started)

    def _make(self, opened: Opened, inputs: tuple[Manifest, ...], make: Callable[..., Artifact]) -> Manifest:
        """Has the artifact made and commits it, unless another run does so first."""
        with self._reporting_failure(opened):
            try:
                assert opened.attempt is not None
                with self._store.sharing(opened.attempt.scratch):
                    artifact = make(self._workspace(opened, inputs), *self._load(inputs))
                manifest = self._commit(opened, inputs, artifact)
            except Exception:
                # Whoever commits removes the scratch folder, below the feet of those who do the same work.
                found = self._find(self._settled(opened, inputs))
                if found is None:
                    raise
                return self._concede(opened, found)
            self._report_end("ran", manifest, opened.started)
            return manifest

    def _commit(self, opened: Opened, inputs: tuple[Manifest, ...], artifact: Artifact) -> Manifest:
        return self._store.commit(
            self._settled(opened, inputs),
            artifact,
            {each.component: each.key for each in inputs},
            made_now(self.run_id, opened.started),
            replace=self.forced,
        )

    def _settled(self, opened: Opened, inputs: tuple[Manifest, ...]) -> Identity:
        """The identity by which the next run will look: a component may just have brought its source here."""
        absent = opened.identity.fingerprint == ABSENT
        return identify(self.component, self.root, inputs) if absent else opened.identity

    def _load(self, inputs: Iterable[Manifest]) -> list[Artifact]:
        return [
            self._store.load(manifest, component.artifact)
            for manifest, component in zip(inputs, self.upstream, strict=True)
        ]

    def _workspace(self, opened: Opened, inputs: Iterable[Manifest]) -> Workspace:
        assert opened.attempt is not None
        return Workspace(
            folder=opened.attempt.folder,
            scratch=opened.attempt.scratch,
            root=self.root,
            report=self._reporter(opened),
            beam_args=self.beam_args,
            provenance={"run_id": self.run_id, "artifacts": provenance(self._store, inputs)},
            fingerprint=opened.identity.fingerprint,
        )

    def _reporter(self, opened: Opened) -> Callable[[float, float, str], None]:
        """Progress, written to the run's folder a few times a second at most."""
        last = 0.0

        def report(done: float, total: float, note: str = "") -> None:
            nonlocal last
            now = time.time()
            if now - last < REPORT_SECONDS and done < total:
                return
            last = now
            self._run_folder.write_node(
                self._node(
                    "running", started=opened.started, key=opened.identity.key, done=done, total=total, note=note
                )
            )

        return report

    @contextlib.contextmanager
    def _reporting_failure(self, opened: Opened | None = None) -> Iterator[None]:
        """Tells why the work failed, where the run's record is kept; then the runner may retry it."""
        started = time.time() if opened is None else opened.started
        try:
            yield
        except Stopped:
            raise
        except BaseException as error:
            if opened is not None and opened.attempt is not None:
                self._store.abandon(opened.attempt)
            self._run_folder.append_log(f"{self.component.name} failed:\n{traceback.format_exc()}")
            seconds = time.time() - started
            self._run_folder.write_node(self._node("failed", started=started, seconds=seconds, reason=explain(error)))
            raise

    def _report_end(self, state: NodeState, manifest: Manifest, started: float) -> None:
        self._run_folder.write_node(ended(self._node(state, started=started, seconds=time.time() - started), manifest))

    def _node(self, state: NodeState, **fields: Any) -> NodeRecord:
        return NodeRecord(component=self.component.name, state=state, worker=this_worker(), **fields)

    @property
    def _store(self) -> Store:
        configure(self.beam_args)
        return RemoteStore(self.root, self.url) if self.url else Store(self.root)

    @property
    def _run_folder(self) -> RunFolder:
        return RunFolder(self.root, self.run_id)


def ended(node: NodeRecord, manifest: Manifest) -> NodeRecord:
    """The record of a node that has an artifact."""
    return node.model_copy(
        update={
            "key": manifest.key,
            "artifact": manifest.folder,
            "digest": manifest.digest,
            "summary": manifest.summary,
        }
    )


def made_now(run_id: str, started: float) -> Made:
    """When, where and with what: for the manifest of what has just been made."""
    return Made(
        run_id=run_id,
        finished=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        seconds=round(time.time() - started, 3),
        host=socket.gethostname(),
        python=platform.python_version(),
        libraries={name: _version(name) for name in LIBRARIES},
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def provenance(store: Store, manifests: Iterable[Manifest]) -> dict[str, Any]:
    """The manifests of these artifacts and of everything that they were made of, by component."""
    found: dict[str, Any] = {}
    waiting = list(manifests)
    while waiting:
        manifest = waiting.pop()
        if manifest.component not in found:
            found[manifest.component] = manifest.model_dump()
            above = (store.find(component, key) for component, key in manifest.inputs.items())
            waiting += [each for each in above if each is not None]
    return found


def explain(error: BaseException) -> str:
    """The reason in a line or two, for people."""
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full{f' ({error.filename})' if error.filename else ''}. Free some space and run again."
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
