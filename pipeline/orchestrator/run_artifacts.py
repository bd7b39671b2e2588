"""Loads everything that pages show about a run: its record, its manifests and its artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from components.artifacts import AnyArtifact, Artifact, Embeddings, Evaluation, Examples, Model, Push, Statistics
from components.findings import Findings
from pipeline.dag import COMPONENTS
from pipeline.errors import UsageError
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, RunState, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest

ARTIFACTS = {component.name: component.artifact for component in COMPONENTS}


@dataclass(frozen=True)
class RunArtifacts:
    """The record, manifests and artifacts of a run. An artifact that does not exist is None."""

    root: Path
    record: RunRecord
    nodes: tuple[NodeRecord, ...]
    manifests: dict[str, Manifest]  # by component
    artifacts: dict[str, Artifact]  # by component
    lost: tuple[str, ...]  # components whose artifact is no longer the one of this run
    elsewhere: tuple[str, ...]  # components whose artifact speaks of data that this machine has no copy of

    @property
    def folder(self) -> Path:
        """The folder of the run's record."""
        return RunFolder(self.root, self.record.run_id).path

    @property
    def state(self) -> RunState:
        """The state in which the run ended, such as "pushed", "nothing to do" or "not blessed"."""
        return self.record.state

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons why the run published nothing: missed thresholds, or what failed. Empty if it published."""
        failed = tuple(node.reason for node in self.nodes if node.state == "failed")
        push = self.record.node_with("version")
        return failed or tuple(push.summary.get("reasons", ()) if push is not None else ())

    @cached_property
    def examples(self) -> Examples | None:
        """The labeled images that ingest made, or None."""
        return self._of(Examples)

    @cached_property
    def statistics(self) -> Statistics | None:
        """The statistics of the images that normalize made, or None."""
        return self._of(Statistics)

    @cached_property
    def embeddings(self) -> Embeddings | None:
        """The vectors of the images that embed made, or None."""
        return self._of(Embeddings)

    @cached_property
    def findings(self) -> Findings | None:
        """What inspect found wrong with the images, or None."""
        return self._of(Findings)

    @cached_property
    def model(self) -> Model | None:
        """The trained model, or None."""
        return self._of(Model)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The evaluation of the model, or None."""
        return self._of(Evaluation)

    @cached_property
    def push(self) -> Push | None:
        """The result of push, or None."""
        return self._of(Push)

    def manifest_of(self, kind: type[Artifact]) -> Manifest | None:
        """Returns the manifest of the run's artifact of this kind, or None."""
        return next((manifest for manifest in self.manifests.values() if manifest.kind == kind.kind()), None)

    def _of(self, kind: type[AnyArtifact]) -> AnyArtifact | None:
        return next((artifact for artifact in self.artifacts.values() if isinstance(artifact, kind)), None)


def gather(root: Path, run_id: str, store: Store | None = None) -> RunArtifacts:
    """Returns the run's record and the artifacts that still exist. Raises UsageError if the run has no record."""
    run = RunFolder(root, run_id)
    record = run.read()
    if record is None:
        raise UsageError(f"There is no record of a run {run_id} that can be read in {root / 'runs'}.")
    # The record gets its nodes only at the end. A killed run has left the state of those that began, a file each.
    begun = (node for node in map(run.read_node, ARTIFACTS) if node.state != "waiting")
    nodes = record.nodes or tuple(begun)
    store = store or Store(root)
    found = {node.component: store.find(node.component, node.key) for node in nodes if node.digest}
    # A later, forced run may have replaced an artifact of this run.
    same = {
        node.component: manifest
        for node in nodes
        if (manifest := found.get(node.component)) is not None and manifest.digest == node.digest
    }
    here = {name: manifest for name, manifest in same.items() if store.has_places(manifest)}
    return RunArtifacts(
        root=root,
        record=record,
        nodes=nodes,
        manifests=here,
        artifacts={name: store.load(manifest, ARTIFACTS[name]) for name, manifest in here.items()},
        lost=tuple(name for name in found if name not in same),
        elsewhere=tuple(name for name in same if name not in here),
    )


def find_run(root: Path, name: str, url: str = "") -> str:
    """Returns the identifier of the run whose name is or begins with `name`; "latest" is the newest run.

    `url` is where people know the root to be, if it is a copy. Raises UsageError if there is no such run, or more than
    one.
    """
    runs = [record.run_id for record in run_records(root)]
    if not runs:
        raise UsageError(
            f"There are no runs in {url or root}. Make one with `python -m pipeline.run`, or name its folder."
        )
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
