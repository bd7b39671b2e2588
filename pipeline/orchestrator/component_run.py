"""One component's work in one run, wherever it is done: look the key up; on a miss, work in an attempt and commit."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components.artifacts import Artifact
from components.component import Component, ShardedComponent, Workspace
from components.object_storage import configure
from pipeline.errors import Stopped, explain
from pipeline.orchestrator.cache_key import ABSENT, identify
from pipeline.orchestrator.provenance import build_info, provenance
from pipeline.orchestrator.run_record import NodeRecord, NodeState, RunFolder, this_worker
from pipeline.store.local_store import Attempt, Store
from pipeline.store.manifest import Identity, Manifest
from pipeline.store.remote_store import RemoteStore

REPORT_SECONDS = 0.25  # between two reports of progress


class Lookup(NamedTuple):
    """What a look-up came to: a manifest, or an attempt to make one."""

    manifest: Manifest | None
    identity: Identity
    attempt: Attempt | None
    started: float  # seconds since 1970


@dataclass(frozen=True)
class ComponentRun:
    """What a worker must know to do one component's part of a run. It travels there pickled."""

    component: Component
    upstream: tuple[Component, ...]
    root: Path
    run_id: str
    url: str = ""  # of the storage that the root is a copy of
    forced: bool = False
    beam_args: tuple[str, ...] = ()

    def open(self, *inputs: Manifest) -> Lookup:
        """Looks the key up. On a miss there is an attempt to work in."""
        with self._reporting_failure():
            started = time.time()
            identity = self._identify(inputs)
            found = self._find(identity)
            if found is not None:
                return Lookup(self._hit(found, started), identity, None, started)
            if self._run_folder.stopping:
                raise Stopped(
                    f"The run was told to stop before {self.component.name}. The same command goes on from there."
                )
            self._run_folder.write_node(self._node("running", started=started, key=identity.key))
            # Whoever retries the look-up of a sharded component goes on in the same folder: shards are replaced whole.
            name = self.run_id if isinstance(self.component, ShardedComponent) else None
            return Lookup(None, identity, self._store.open_attempt(identity, name), started)

    def run(self, *inputs: Manifest) -> Manifest:
        """Does the whole of a component that is one call on one worker."""
        lookup = self.open(*inputs)
        return lookup.manifest or self._make(lookup, inputs, self.component.run)

    def list_shards(self, lookup: Lookup, *inputs: Manifest) -> Iterable[Any]:
        """Lists what a sharded component spreads over the workers: nothing, if there is nothing to do."""
        if lookup.attempt is None:
            return []
        assert isinstance(self.component, ShardedComponent)
        with self._reporting_failure(lookup):
            shards = list(self.component.list_shards(self._workspace(lookup, inputs), *self._load(inputs)))
            node = self._node("running", started=lookup.started, key=lookup.identity.key)
            self._run_folder.write_scan(node, len(shards))
            return shards

    def begin(self, shard: Any) -> Any:
        """Passes a shard on to the component, and counts it for those who watch."""
        self._run_folder.begin_shard(self.component.name)
        return shard

    def combine(self, lookup: Lookup, *inputs: Manifest, results: list[Any]) -> Manifest:
        """Ends a sharded component: makes and commits the artifact of all results."""
        component = self.component
        assert isinstance(component, ShardedComponent)
        if lookup.manifest is not None:
            return lookup.manifest
        found = self._find(lookup.identity)  # the bundle ran before, or another run was sooner
        if found is not None:
            return self._concede(lookup, found)
        return self._make(
            lookup, inputs, lambda workspace, *artifacts: component.combine(workspace, results, *artifacts)
        )

    def _find(self, identity: Identity) -> Manifest | None:
        """A hit. In a forced run only what this run itself has made is one."""
        found = self._store.find(self.component.name, identity.key)
        return None if found is not None and self.forced and found.build.run_id != self.run_id else found

    def _hit(self, found: Manifest, started: float) -> Manifest:
        self._report_end("ran" if found.build.run_id == self.run_id else "cached", found, started)
        return found

    def _concede(self, lookup: Lookup, found: Manifest) -> Manifest:
        """Takes what is there instead of what this attempt would have made."""
        assert lookup.attempt is not None
        if lookup.attempt.folder != self.root / found.folder:
            self._store.abandon(lookup.attempt)
        return self._hit(found, lookup.started)

    def _make(self, lookup: Lookup, inputs: tuple[Manifest, ...], make: Callable[..., Artifact]) -> Manifest:
        """Has the artifact made and commits it, unless another run does so first."""
        with self._reporting_failure(lookup):
            try:
                assert lookup.attempt is not None
                with self._store.uploading(lookup.attempt.scratch):
                    artifact = make(self._workspace(lookup, inputs), *self._load(inputs))
                manifest = self._commit(lookup, inputs, artifact)
            except Exception:
                # Whoever commits removes the scratch folder, below the feet of those who do the same work.
                found = self._find(self._settled(lookup, inputs))
                if found is None:
                    raise
                return self._concede(lookup, found)
            self._report_end("ran", manifest, lookup.started)
            return manifest

    def _commit(self, lookup: Lookup, inputs: tuple[Manifest, ...], artifact: Artifact) -> Manifest:
        return self._store.commit(
            self._settled(lookup, inputs),
            artifact,
            {name: each.reference for name, each in self._by_name(inputs).items()},
            build_info(self.run_id, lookup.started),
            replace=self.forced,
        )

    def _settled(self, lookup: Lookup, inputs: tuple[Manifest, ...]) -> Identity:
        """The identity by which the next run will look: a component may just have brought its source here."""
        absent = lookup.identity.fingerprint == ABSENT
        return self._identify(inputs) if absent else lookup.identity

    def _identify(self, inputs: Sequence[Manifest]) -> Identity:
        return identify(self.component, self.root, self._by_name(inputs))

    def _by_name(self, inputs: Sequence[Manifest]) -> dict[str, Manifest]:
        return dict(zip(self.component.inputs, inputs, strict=True))

    def _load(self, inputs: Iterable[Manifest]) -> list[Artifact]:
        return [
            self._store.load(manifest, component.artifact)
            for manifest, component in zip(inputs, self.upstream, strict=True)
        ]

    def _workspace(self, lookup: Lookup, inputs: Iterable[Manifest]) -> Workspace:
        assert lookup.attempt is not None
        return Workspace(
            folder=lookup.attempt.folder,
            scratch=lookup.attempt.scratch,
            root=self.root,
            report=self._reporter(lookup),
            beam_args=self.beam_args,
            provenance={"run_id": self.run_id, "artifacts": provenance(self._store, inputs)},
            fingerprint=lookup.identity.fingerprint,
        )

    def _reporter(self, lookup: Lookup) -> Callable[[float, float, str], None]:
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
                    "running", started=lookup.started, key=lookup.identity.key, done=done, total=total, note=note
                )
            )

        return report

    @contextlib.contextmanager
    def _reporting_failure(self, lookup: Lookup | None = None) -> Iterator[None]:
        """Tells why the work failed, where the run's record is kept; then the runner may retry it."""
        started = time.time() if lookup is None else lookup.started
        try:
            yield
        except Stopped:
            raise
        except BaseException as error:
            if lookup is not None and lookup.attempt is not None:
                self._store.abandon(lookup.attempt)
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
