"""Work without Beam: what one worker does."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from components.artifacts import Artifact
from components.component import Component, Workspace
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.run_record import RunFolder
from pipeline.store.local_store import Store
from tests.pipeline.toys import Count, CountConfig, FactorConfig, Multiply, Numbers


@dataclass(frozen=True)
class Overtaken(Count):
    """While it works, a rival does the same work, commits it and removes what both have in scratch."""

    rival_commits: bool = True

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        begun = workspace.root / "begun"
        if begun.exists():
            return super().run(workspace)
        begun.touch()
        (workspace.scratch / "half").write_text("done")
        if self.rival_commits:
            work(self, workspace.root, "rival").run()
        else:
            (workspace.scratch / "half").unlink()
        (workspace.scratch / "half").read_text()
        raise AssertionError("the rival left scratch where it was")


class Fragile(Multiply):
    """Its last step fails once."""

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Numbers:
        once = workspace.root / "failed once"
        if not once.exists():
            once.touch()
            raise ValueError("the last step fails once")
        return super().combine(workspace, results, *inputs)


class Placed(Numbers):
    PLACES: ClassVar[tuple[str, ...]] = ("inside", "outside")

    inside: Path
    outside: Path


@dataclass(frozen=True)
class Place(Count):
    """Its data lie in the root and elsewhere."""

    artifact: ClassVar[type[Artifact]] = Placed

    def run(self, workspace: Workspace, *inputs: Any) -> Placed:
        inside, outside = workspace.root / "data", workspace.root.parent / "data"
        for folder in (inside, outside):
            folder.mkdir()
        return Placed(folder=workspace.folder, values=(), inside=inside, outside=outside).write()


@dataclass(frozen=True)
class Publish(Component):
    """Writes what it is told of its inputs' origin, as push does."""

    name: ClassVar[str] = "push"
    inputs: ClassVar[tuple[str, ...]] = ("numbers",)
    artifact: ClassVar[type[Artifact]] = Numbers
    config: CountConfig

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        (workspace.folder / "provenance.json").write_text(json.dumps(workspace.provenance))
        return Numbers(folder=workspace.folder, values=()).write()


def work(component: Component, root: Path, run_id: str, *upstream: Component) -> ComponentRun:
    RunFolder(root, run_id).create()
    return ComponentRun(component=component, upstream=upstream, root=root, run_id=run_id)


def test_what_is_published_of_the_origin_names_no_host_and_no_absolute_path(tmp_path: Path) -> None:
    root, place = tmp_path / "root", Place(CountConfig())
    root.mkdir()
    made = work(place, root, "one").run()
    assert (made.build.host, made.places["outside"]) == (socket.gethostname(), str(tmp_path / "data"))
    pushed = work(Publish(CountConfig()), root, "two", place).run(made)
    text = (root / pushed.folder / "provenance.json").read_text()
    (told,) = json.loads(text)["artifacts"].values()
    assert (told["folder"], told["digest"], told["places"]) == (made.folder, made.digest, {"inside": "data"})
    assert "host" not in told["build"]
    assert str(tmp_path) not in text


@pytest.mark.parametrize("source", [None, "photos"], ids=["source comes with the work", "source is there"])
def test_work_that_a_rival_has_done_is_a_hit(tmp_path: Path, source: str | None) -> None:
    if source:
        (tmp_path / "source").write_text(source)
    manifest = work(Overtaken(CountConfig()), tmp_path, "overtaken").run()
    assert manifest.build.run_id == "rival"
    assert RunFolder(tmp_path, "overtaken").read_node("ingest").state == "cached"
    assert Store(tmp_path).load(manifest, Numbers).values == (0, 1, 2, 3, 4)


def test_a_retry_after_a_failure_finds_what_the_attempt_has_made(tmp_path: Path) -> None:
    """As a runner does: the last step of a scan fails, and is tried again with the same look-up."""
    RunFolder(tmp_path, "one").create()
    numbers = work(Count(CountConfig()), tmp_path, "one").run()
    scan = ComponentRun(Fragile(FactorConfig()), (Count(CountConfig()),), tmp_path, "one")
    lookup = scan.open(numbers)
    assert lookup.attempt is not None
    (lookup.attempt.folder / "part").write_text("of a worker")
    with pytest.raises(ValueError, match="the last step fails once"):
        scan.combine(lookup, numbers, results=[1, 2])
    committed = scan.combine(lookup, numbers, results=[1, 2])
    assert committed.file_count == 2


def test_a_late_duplicate_that_fails_leaves_the_committed_artifact(tmp_path: Path) -> None:
    numbers = work(Count(CountConfig()), tmp_path, "one").run()
    scan = ComponentRun(Multiply(FactorConfig(factor=2)), (Count(CountConfig()),), tmp_path, "one")
    lookup = scan.open(numbers)
    committed = scan.combine(lookup, numbers, results=[1, 2])
    with pytest.raises(ValueError, match="a late duplicate"), scan._reporting_failure(lookup):
        raise ValueError("a late duplicate")
    assert Store(tmp_path).find("normalize", committed.key) == committed
    assert RunFolder(tmp_path, "one").read_node("normalize").state == "ran"


def test_work_that_nobody_has_done_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        work(Overtaken(CountConfig(), rival_commits=False), tmp_path, "alone").run()
    assert RunFolder(tmp_path, "alone").read_node("ingest").state == "failed"
