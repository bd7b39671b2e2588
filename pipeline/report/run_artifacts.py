"""What a run left: its record, and the artifacts that its nodes speak of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from components.artifacts import AnyArtifact, Artifact, Evaluation, Examples, Model, Push, Statistics
from pipeline.dag import COMPONENTS
from pipeline.errors import UsageError
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest

ARTIFACTS = {component.name: component.artifact for component in COMPONENTS}


@dataclass(frozen=True)
class RunArtifacts:
    """All that pages are made of. What is not there is None."""

    root: Path
    record: RunRecord
    nodes: tuple[NodeRecord, ...]
    manifests: dict[str, Manifest]  # by component
    artifacts: dict[str, Artifact]  # by component
    lost: tuple[str, ...]  # components whose artifact is no longer the one of this run

    @property
    def folder(self) -> Path:
        """Where the run's record lies."""
        return RunFolder(self.root, self.record.run_id).path

    @cached_property
    def examples(self) -> Examples | None:
        """The images."""
        return self._of(Examples)

    @cached_property
    def statistics(self) -> Statistics | None:
        """What a pass over the images found."""
        return self._of(Statistics)

    @cached_property
    def model(self) -> Model | None:
        """The trained classifier."""
        return self._of(Model)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """How well it does."""
        return self._of(Evaluation)

    @cached_property
    def push(self) -> Push | None:
        """What was published."""
        return self._of(Push)

    def manifest_of(self, kind: type[Artifact]) -> Manifest | None:
        """Returns the manifest of the artifact of this kind."""
        return next((manifest for manifest in self.manifests.values() if manifest.kind == kind.kind()), None)

    def _of(self, kind: type[AnyArtifact]) -> AnyArtifact | None:
        return next((artifact for artifact in self.artifacts.values() if isinstance(artifact, kind)), None)


def gather(root: Path, run_id: str) -> RunArtifacts:
    """Reads what is there. Raises UsageError if the run has no record."""
    run = RunFolder(root, run_id)
    record = run.read()
    if record is None:
        raise UsageError(f"There is no record of a run {run_id} that can be read in {root / 'runs'}.")
    # The record names its nodes at the end only: a run that was killed has told of each in a file of its own.
    nodes = record.nodes or tuple(run.read_node(name) for name in ARTIFACTS)
    store = Store(root)
    found = {node.component: store.find(node.component, node.key) for node in nodes if node.digest}
    # A later, forced run may have put another artifact in the place of this run's.
    same = {
        node.component: manifest
        for node in nodes
        if (manifest := found.get(node.component)) is not None and manifest.digest == node.digest
    }
    return RunArtifacts(
        root=root,
        record=record,
        nodes=nodes,
        manifests=same,
        artifacts={name: store.load(manifest, ARTIFACTS[name]) for name, manifest in same.items()},
        lost=tuple(name for name in found if name not in same),
    )


def find_run(root: Path, name: str) -> str:
    """The one run whose name is or begins with `name`; the newest for "latest". Raises UsageError."""
    runs = [record.run_id for record in run_records(root)]
    if not runs:
        raise UsageError(f"There are no runs in {root}. Make one with `python -m pipeline.run`, or name its folder.")
    if name == "latest":
        return runs[-1]
    matching = [name] if name in runs else [run for run in runs if run.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(f"{name}: {len(matching)} runs begin so: {_some(matching)}.")
    raise UsageError(f"{name}: no run begins so. The newest are {_some(runs[::-1])}.")


def _some(runs: list[str]) -> str:
    return ", ".join(runs[:4]) + (", ..." if len(runs) > 4 else "")
