"""The work of one component in one run, on any machine: look up the key; on a miss, work in an attempt and commit."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from components.artifacts import Artifact
from components.component import ABSENT, Component, ComponentError, ShardedComponent, Workspace
from components.file_exchange import FileExchange
from components.registry.registry import open_registry
from pipeline.errors import Stopped, explain
from pipeline.orchestrator.agreement import disagreement
from pipeline.orchestrator.cache_key import identify
from pipeline.orchestrator.elapsed import seen_here
from pipeline.orchestrator.loaded_inputs import anchors, find_anchor
from pipeline.orchestrator.lookup import Lookup, Retry
from pipeline.orchestrator.node_reporter import NodeReporter
from pipeline.orchestrator.provenance import build_info, provenance
from pipeline.orchestrator.streamed_inputs import inputs_of, loader
from pipeline.orchestrator.time_limit import start_countdown
from pipeline.orchestrator.travelling import Travelling
from pipeline.store.local_store import Attempt
from pipeline.store.manifest import Identity, Manifest
from pipeline.store.packing import pack, unpack

Made = TypeVar("Made")


@dataclass(frozen=True)
class ComponentRun(Travelling):
    """Everything a worker needs to do one component's part of a run. It is pickled and sent to the worker."""

    component: Component
    upstream: tuple[Component, ...]
    root: Path  # on this machine: of a root in object storage, each machine has a copy of its own
    run_id: str
    url: str = ""  # of the object storage that the root is a local copy of; empty if there is none
    apart: bool = False  # whether workers may be on machines that share nothing but that storage
    forced: bool = False
    beam_args: tuple[str, ...] = ()
    retry: Retry | None = None
    code: Mapping[str, str] = field(default_factory=dict)  # of the command: see `same_code`
    planned: Identity | None = None  # of the artifact that the plan has found, if the component has no inputs

    def open(self, *inputs: Manifest) -> Lookup:
        """Looks up the key and, on a miss, opens an attempt to work in. Raises Stopped if the run was told to stop."""
        with self._reporter.failure():
            started, note = (self.retry.started, self.retry.note) if self.retry else (time.time(), "")
            self._require_same_code()
            if reason := disagreement(name := self.component.name, inputs):
                raise ComponentError(reason)
            self._look_at_published()
            identity, found = self._look_up(inputs)
            if found is not None:
                return Lookup(self._hit(found, started), identity, None, started)
            if self._run_folder.stopping:
                raise Stopped(f"The run was told to stop before {name}. The same command goes on from there.")
            self._reporter.running(started, key=identity.key, note=note)
            return Lookup(None, identity, self._open_attempt(identity).folder.name, started, note)

    def run(self, *inputs: Manifest) -> Manifest:
        """Runs a component that is one call on one worker, and returns the manifest of its artifact."""
        lookup = self.open(*inputs)
        return lookup.manifest or self._make(lookup, inputs, self.component.run)

    def list_shards(self, lookup: Lookup, *inputs: Manifest) -> Iterable[Any]:
        """Returns the shards that a sharded component spreads over the workers; none if its artifact is cached.

        They are packed if the workers may be on other machines.
        """
        if lookup.attempt is None:
            return []
        return self._attempt(lookup, lambda each: self._list_shards(each, inputs))

    def _list_shards(self, lookup: Lookup, inputs: tuple[Manifest, ...]) -> list[Any]:
        assert isinstance(self.component, ShardedComponent)
        self._look_at_published()
        workspace = self._workspace(lookup, inputs)
        artifacts = {name: self._load(name, inputs, workspace) for name in self._by_name(inputs)}
        shards = list(self.component.list_shards(workspace, *artifacts.values()))
        node = self._reporter.node("running", started=lookup.started, key=lookup.identity.key, note=lookup.note)
        self._run_folder.write_scan(node, len(shards))
        if not self.apart:
            return shards
        known = anchors(self.root, artifacts)
        return [pack(shard, known) for shard in shards]

    def begin(self, lookup: Lookup, shard: Any, *inputs: Manifest) -> Any:
        """Counts a shard as begun, for the progress of the run and its time limit, and returns it for this machine."""
        self._require_same_code()
        self._run_folder.begin_shard(self.component.name)
        self._start_countdown(lookup)
        if not self.apart:
            return shard

        def load(name: str) -> Artifact:
            return self._load(name, inputs, self._workspace(lookup, inputs))

        return unpack(shard, partial(find_anchor, self.root, self._by_name(inputs), load), self._store.bring)

    def combine(self, lookup: Lookup, *inputs: Manifest, results: list[Any]) -> Manifest:
        """Makes and commits the artifact of a sharded component from all results, and returns its manifest."""
        component = self.component
        assert isinstance(component, ShardedComponent)
        if lookup.manifest is not None:
            return lookup.manifest
        found = self._find(lookup.identity)  # this bundle ran before, or another run committed first
        if found is not None:
            return self._hit(found, lookup.started)
        return self._make(lookup, inputs, partial(self._gather, component, results))

    def _gather(
        self, component: ShardedComponent, results: list[Any], workspace: Workspace, *artifacts: Artifact
    ) -> Artifact:
        if self.apart:
            self._look_at_published()
            self._store.fetch_attempt(Attempt(workspace.folder, workspace.scratch))
        return component.combine(workspace, results, *artifacts)

    def _open_attempt(self, identity: Identity) -> Attempt:
        # A retried look-up of a sharded component continues in the same folder: each shard is replaced as a whole.
        name = self.run_id if isinstance(self.component, ShardedComponent) else None
        return self._store.open_attempt(identity, name)

    def _attempt(self, lookup: Lookup, work: Callable[[Lookup], Made]) -> Made:
        """Does the work of a look-up, as often as the config allows. What the component refuses is final."""
        most = self.component.config.max_attempts
        with self._reporter.failure(lookup.started):
            self._require_same_code()
            self._start_countdown(lookup)
            for number in range(self.retry.number + 1 if self.retry else 2, most + 1):
                try:
                    return work(lookup)
                except (ComponentError, Stopped):
                    raise
                except Exception as error:
                    if self._run_folder.stopping:
                        raise
                    lookup = self._next_attempt(lookup, Retry(number, most, lookup.started).note, error)
            return work(lookup)

    def _next_attempt(self, lookup: Lookup, note: str, error: Exception) -> Lookup:
        """Records why an attempt failed, and returns the look-up for the next one."""
        name = self.component.name
        self._run_folder.append_log(f"{name} failed, and goes on with {note}:\n{traceback.format_exc()}")
        attempt = self._open_attempt(lookup.identity)
        self._reporter.running(lookup.started, key=lookup.identity.key, note=f"{note} after {explain(error)}")
        return lookup._replace(attempt=attempt.folder.name, note=note)

    def _start_countdown(self, lookup: Lookup) -> None:
        """Makes this process end at the component's time limit, unless the artifact is there by then."""
        if (minutes := self.component.config.time_limit_minutes) is not None:
            started = seen_here(lookup.identity.key, lookup.started) if self.apart else lookup.started
            node = self._reporter.node("running", started=started, key=lookup.identity.key)
            start_countdown(node, minutes, self._run_folder, lambda: self._find(lookup.identity) is not None)

    def _look_up(self, inputs: Sequence[Manifest]) -> tuple[Identity, Manifest | None]:
        """Returns the identity, and the artifact under its key. What the plan has found, it has just looked for."""
        if self.planned is not None and (found := self._find(self.planned)) is not None:
            return self.planned, found
        identity = self._identify(inputs)
        return identity, self._find(identity)

    def _find(self, identity: Identity) -> Manifest | None:
        """Returns the artifact under the key, or None. In a forced run only an artifact of this run counts."""
        found = self._store.find(self.component.name, identity.key)
        return None if found is not None and self.forced and found.build.run_id != self.run_id else found

    def _hit(self, found: Manifest, started: float) -> Manifest:
        self._reporter.end("ran" if found.build.run_id == self.run_id else "cached", found, started)
        return found

    def _make(self, lookup: Lookup, inputs: tuple[Manifest, ...], make: Callable[..., Artifact]) -> Manifest:
        """Makes the artifact and commits it, unless another run commits first."""
        return self._attempt(lookup, lambda each: self._make_once(each, inputs, make))

    def _make_once(self, lookup: Lookup, inputs: tuple[Manifest, ...], make: Callable[..., Artifact]) -> Manifest:
        try:
            workspace = self._workspace(lookup, inputs)
            loaded = inputs_of(self.component, self._store, inputs, self.upstream, workspace, self.apart)
            with self._store.uploading(workspace.scratch), loaded as artifacts:
                artifact = make(workspace, *artifacts)
            manifest = self._commit(lookup, inputs, artifact, workspace.file_digests)
        except Exception:
            # A commit removes the scratch folder, and so may break another run that does the same work.
            found = self._find(self._settled(lookup, inputs))
            if found is None:
                raise
            return self._hit(found, lookup.started)
        self._reporter.end("ran", manifest, lookup.started, lookup.note)
        return manifest

    def _commit(
        self, lookup: Lookup, inputs: tuple[Manifest, ...], artifact: Artifact, file_digests: Mapping[Path, str]
    ) -> Manifest:
        return self._store.commit(
            self._settled(lookup, inputs),
            artifact,
            {name: each.reference for name, each in self._by_name(inputs).items()},
            build_info(self.run_id, lookup.started),
            file_digests=file_digests,
            replace=self.forced,
        )

    def _settled(self, lookup: Lookup, inputs: tuple[Manifest, ...]) -> Identity:
        """Returns the identity that the next run will look up. It differs if the component just fetched its source."""
        absent = lookup.identity.fingerprint == ABSENT
        return self._identify(inputs) if absent else lookup.identity

    def _identify(self, inputs: Sequence[Manifest]) -> Identity:
        return identify(self.component, self.root, self._by_name(inputs))

    def _by_name(self, inputs: Sequence[Manifest]) -> dict[str, Manifest]:
        return dict(zip(self.component.inputs, inputs, strict=False))

    def _load(self, name: str, inputs: Sequence[Manifest], workspace: Workspace) -> Artifact:
        maker = self.upstream[self.component.inputs.index(name)]
        return loader(self.component, self.apart)(self._store, self._by_name(inputs)[name], maker, workspace)

    def _workspace(self, lookup: Lookup, inputs: Iterable[Manifest]) -> Workspace:
        assert lookup.attempt is not None
        attempt = self._store.attempt(lookup.identity, lookup.attempt)
        return Workspace(
            folder=attempt.folder,
            scratch=attempt.scratch,
            root=self.root,
            url=self.url,
            fetch_version=open_registry(self.root, self.url).fetch_model,
            report=self._reporter.progress(lookup.started, lookup.identity.key, lookup.note),
            beam_args=self.beam_args,
            provenance={"run_id": self.run_id, "artifacts": self._published(inputs)},
            fingerprint=lookup.identity.fingerprint,
            code_digest=lookup.identity.code_digest,
            forced=self.forced,
            exchange=FileExchange(self.root, self.url if self.apart else ""),
        )

    def _published(self, inputs: Iterable[Manifest]) -> dict[str, Any]:
        names = self.component.names_machines
        return {name: manifest.published(names) for name, manifest in provenance(self._store, inputs).items()}

    @property
    def _reporter(self) -> NodeReporter:
        return NodeReporter(self.component.name, self._run_folder)
