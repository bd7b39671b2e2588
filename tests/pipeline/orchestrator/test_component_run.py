"""Work without Beam: what one worker does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from components.artifacts import Artifact
from components.component import Component, ComponentError, Workspace
from pipeline.config import PipelineConfig
from pipeline.dag import COMPONENTS
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.run_record import RunFolder
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from tests.pipeline.toys import REFUSED, Add, Count, CountConfig, FactorConfig, Multiply, Numbers, Total


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


class PublishWithMachines(Publish):
    """Is asked to tell more."""

    @property
    def names_machines(self) -> bool:
        return True


class Told(Count):
    """Writes down what it is told of earlier work."""

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        (workspace.folder / "told.json").write_text(json.dumps([workspace.code_digest, workspace.forced]))
        return super().run(workspace)


class Hashing(Count):
    """Says of its file, as its writer, what nobody finds who reads it."""

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        numbers = super().run(workspace)
        workspace.file_digests[numbers.folder / "numbers.json"] = "0" * 64
        return numbers


def work(component: Component, root: Path, run_id: str, *upstream: Component) -> ComponentRun:
    RunFolder(root, run_id).create()
    return ComponentRun(component=component, upstream=upstream, root=root, run_id=run_id)


def test_what_is_published_of_the_origin_names_machines_if_asked(tmp_path: Path) -> None:
    root, place = tmp_path / "root", Place(CountConfig())
    root.mkdir()
    made = work(place, root, "one").run()
    pushed = work(PublishWithMachines(CountConfig()), root, "two", place).run(made)
    (told,) = json.loads((root / pushed.folder / "provenance.json").read_text())["artifacts"].values()
    assert told == made.model_dump()


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


def test_a_component_is_told_of_its_code_and_whether_all_is_to_be_made_anew(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("photos")
    told = []
    for run_id, forced, count in (("one", False, 5), ("two", True, 5), ("three", False, 6)):
        component_run = work(Told(CountConfig(count=count)), tmp_path, run_id)
        manifest = replace(component_run, forced=forced).run()
        told.append(json.loads((tmp_path / manifest.folder / "told.json").read_text()))
    assert told == [[manifest.identity.code_digest, forced] for forced in (False, True, False)]


def test_a_file_that_its_writer_has_hashed_is_not_read_again(tmp_path: Path) -> None:
    plain, hashed = (work(kind(CountConfig()), tmp_path / kind.__name__, "one").run() for kind in (Count, Hashing))
    assert (plain.file_count, plain.byte_count) == (hashed.file_count, hashed.byte_count)
    assert plain.digest != hashed.digest


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
    (scan._store.attempt(lookup.identity, lookup.attempt).folder / "part").write_text("of a worker")
    with pytest.raises(ValueError, match="the last step fails once"):
        scan.combine(lookup, numbers, results=[1, 2])
    committed = scan.combine(lookup, numbers, results=[1, 2])
    assert committed.file_count == 2


def test_a_late_duplicate_that_fails_leaves_the_committed_artifact(tmp_path: Path) -> None:
    numbers = work(Count(CountConfig()), tmp_path, "one").run()
    scan = ComponentRun(Multiply(FactorConfig(factor=2)), (Count(CountConfig()),), tmp_path, "one")
    lookup = scan.open(numbers)
    committed = scan.combine(lookup, numbers, results=[1, 2])
    with pytest.raises(ValueError, match="a late duplicate"), scan._reporter.failure(lookup.started):
        raise ValueError("a late duplicate")
    assert Store(tmp_path).find("normalize", committed.key) == committed
    assert RunFolder(tmp_path, "one").read_node("normalize").state == "ran"


def test_work_that_nobody_has_done_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        work(Overtaken(CountConfig(), rival_commits=False), tmp_path, "alone").run()
    assert RunFolder(tmp_path, "alone").read_node("ingest").state == "failed"


class Unsteady(Multiply):
    """Each step fails once before it works, and leaves something behind."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[int]:
        fail_once(workspace, "the list fails once")
        return super().list_shards(workspace, *inputs)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Numbers:
        fail_once(workspace, "the last step fails once")
        return super().combine(workspace, results, *inputs)


@dataclass(frozen=True)
class Littering(Count):
    """Its first attempt leaves a file in its folder."""

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        if not (workspace.scratch / "once").exists():
            (workspace.scratch / "once").touch()
            (workspace.folder / "litter").touch()
            raise OSError("the disk is slow")
        return super().run(workspace, *inputs)


@dataclass(frozen=True)
class Stopping(Count):
    """Fails once the run was told to stop."""

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        assert not RunFolder(workspace.root, "one").stopping, "tried again"
        RunFolder(workspace.root, "one").stop()
        raise ValueError("told to stop meanwhile")


def fail_once(workspace: Workspace, what: str) -> None:
    if not (workspace.root / what).exists():
        (workspace.root / what).touch()
        raise OSError(what)


def add(root: Path, config: FactorConfig, run_id: str = "one") -> Manifest:
    """Adds up 0 to 4, twice."""
    numbers = work(Count(CountConfig()), root, "numbers").run()
    RunFolder(root, run_id).create()
    upstream = (Count(CountConfig()), Count(CountConfig()))
    return ComponentRun(Add(config), upstream, root, run_id).run(numbers, numbers)


def test_what_fails_now_and_then_is_tried_again(tmp_path: Path) -> None:
    manifest = add(tmp_path, FactorConfig(factor=-2, max_attempts=3))
    assert Store(tmp_path).load(manifest, Total).attempts == 3
    node, log = RunFolder(tmp_path, "one").read_node("train"), RunFolder(tmp_path, "one").log.read_text()
    assert (node.state, node.note) == ("ran", "attempt 3 of 3")
    assert "train failed, and goes on with attempt 2 of 3:\nTraceback" in log
    assert "ValueError: attempt 1 dies" in log
    assert "ValueError: attempt 2 dies" in log


def test_an_attempt_begins_with_an_empty_folder(tmp_path: Path) -> None:
    manifest = work(Littering(CountConfig(max_attempts=2)), tmp_path, "one").run()
    assert manifest.file_count == 1


def test_after_the_last_attempt_the_failure_stands(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="attempt 2 dies"):
        add(tmp_path, FactorConfig(factor=-2, max_attempts=2))
    node = RunFolder(tmp_path, "one").read_node("train")
    assert (node.state, node.reason) == ("failed", "ValueError: attempt 2 dies")


def test_a_refusal_is_final(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="Thirteen is refused"):
        add(tmp_path, FactorConfig(factor=REFUSED, max_attempts=3))
    assert [path.read_text() for path in tmp_path.glob("train/*/scratch/marks")] == ["."]


def test_a_run_that_was_told_to_stop_tries_nothing_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="told to stop meanwhile"):
        work(Stopping(CountConfig(max_attempts=2)), tmp_path, "one").run()


def test_the_first_and_the_last_step_of_a_scan_are_tried_again(tmp_path: Path) -> None:
    numbers = work(Count(CountConfig()), tmp_path, "one").run()
    scan = ComponentRun(Unsteady(FactorConfig(max_attempts=2)), (Count(CountConfig()),), tmp_path, "one")
    lookup = scan.open(numbers)
    assert list(scan.list_shards(lookup, numbers)) == [0, 1, 2, 3, 4]
    assert lookup.attempt is not None
    (scan._store.attempt(lookup.identity, lookup.attempt).folder / "part").write_text("of a worker")
    assert scan.combine(lookup, numbers, results=[1, 2]).file_count == 2


def test_limits_and_attempts_are_no_part_of_the_key(tmp_path: Path) -> None:
    add(tmp_path, FactorConfig())
    add(tmp_path, FactorConfig(time_limit_minutes=60, max_attempts=3), "two")
    assert RunFolder(tmp_path, "two").read_node("train").state == "cached"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_limits_and_attempts_are_in_no_identity(component: type[Component]) -> None:
    given = {
        "evaluate": {"thresholds": {"accuracy": {"min": 0.5}}},
        "ingest": {"dataset": "cifar10_sample"},
        "inspect": {},
    }
    limits = {"time_limit_minutes": 60, "max_attempts": 3}
    config = PipelineConfig.model_validate({**given, component.name: {**given.get(component.name, {}), **limits}})
    without = PipelineConfig.model_validate(given)
    limited = component(getattr(config, component.name)).identity()
    assert limited == component(getattr(without, component.name)).identity()
    assert not limits.keys() & limited.keys()
