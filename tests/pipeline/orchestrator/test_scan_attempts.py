"""A shard that fails now and then, on Beam's local runner."""

from __future__ import annotations

import functools
import io
import multiprocessing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pytest

from components.component import Workspace
from pipeline.config import DEFAULT_PATH, load_config
from pipeline.orchestrator.execution import begin
from pipeline.orchestrator.plan import PlannedEdge, Selection, make_plan
from pipeline.orchestrator.run_record import RunFolder, RunRecord
from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import run_graph
from pipeline.store.local_store import Store
from tests.pipeline.toys import REFUSED, Add, Count, CountConfig, FactorConfig, Multiply, Numbers, multiply

ORDER = ("ingest", "normalize", "train")
PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
WHERE = ("this process", "worker processes")
FOREVER = 1_000_000


class Shard(NamedTuple):
    value: int
    marks: Path


@dataclass(frozen=True)
class Shaky(Multiply):
    """As many attempts as `-factor` says fail at the last of five shards, and the next one multiplies."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        return [Shard(value, workspace.root / "marks") for value in inputs[0].values]

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | "shake" >> beam.Map(shake, self.config.factor)


@dataclass(frozen=True)
class ShakyTogether(Shaky):
    """Fails where Beam does not say in which transform."""

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        together = beam.CombineGlobally(functools.partial(shake_all, self.config.factor)).without_defaults()
        return shards | "shake" >> together | "each" >> beam.FlatMap(list)


class Stopping(Shaky):
    """The run is told to stop while it scans."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        RunFolder(workspace.root, "one").stop()
        return super().list_shards(workspace, *inputs)


@dataclass(frozen=True)
class Overtaken(Multiply):
    """While its run scans, another run makes the same, and removes what both have in scratch."""

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        shared = workspace.scratch / "shared"
        shared.mkdir(exist_ok=True)
        if RunFolder(workspace.root, "two").read() is None:
            given = workspace.root, self, None, (), 1, "two"
            other = multiprocessing.get_context("spawn").Process(target=run, args=given)
            other.start()
            other.join()
        return [Shard(value, shared / str(value)) for value in inputs[0].values]

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | "mark" >> beam.Map(mark)


def mark(shard: Shard) -> int:
    shard.marks.touch()
    return shard.value


def shake(shard: Shard, factor: int) -> int:
    if shard.value == 4:
        with shard.marks.open("a") as file:
            file.write(".")
        attempts = len(shard.marks.read_text())
        if attempts <= -factor:
            raise ValueError(f"attempt {attempts} dies")
    return multiply(shard.value, max(factor, 2))


def shake_all(factor: int, shards: Iterable[Any]) -> list[int]:
    """As a function for CombineGlobally, it gets shards, or lists that it has returned."""
    found: list[int] = []
    for each in shards:
        found += each if isinstance(each, list) else [shake(each, factor)]
    return found


def chain(start: PlannedEdge | BeamEdge, scan: Multiply, last: FactorConfig) -> None:
    numbers = start | Count(CountConfig())
    (numbers, numbers | scan) | Add(last)


def run(
    root: Path,
    scan: Multiply,
    out: io.StringIO | None = None,
    beam_args: tuple[str, ...] = (),
    last: int = 1,
    run_id: str = "one",
) -> RunRecord:
    graph = functools.partial(chain, scan=scan, last=FactorConfig(factor=last, max_attempts=2))
    plan = make_plan(graph, Store(root), Selection(ORDER))
    execution = begin(load_config(DEFAULT_PATH, []), plan, run_id, ("pipeline.run",), out or io.StringIO())
    failure = execution.work(lambda: run_graph(graph, plan, run_id, DIRECT_RUNNER, beam_args))
    return execution.finish(failure, None)[0]


def log(root: Path) -> str:
    return RunFolder(root, "one").log.read_text()


def config(fails: int, most: int) -> FactorConfig:
    return FactorConfig(factor=-fails, max_attempts=most)


@pytest.mark.parametrize("beam_args", [(), PROCESSES], ids=WHERE)
def test_a_shard_that_fails_now_and_then_is_tried_again(tmp_path: Path, beam_args: tuple[str, ...]) -> None:
    out = io.StringIO()
    record = run(tmp_path, Shaky(config(fails=2, most=3)), out, beam_args)
    assert [node.state for node in record.nodes] == ["ran", "ran", "ran"]
    assert [node.note for node in record.nodes] == ["", "attempt 3 of 3", ""]
    (numbers,) = Store(tmp_path).manifests("normalize")
    assert Store(tmp_path).load(numbers, Numbers).values == (0, 2, 4, 6, 8)
    assert "normalize failed, and goes on with attempt 2 of 3:\n" in log(tmp_path)
    assert "ValueError: attempt 1 dies" in log(tmp_path)
    assert "ValueError: attempt 2 dies" in log(tmp_path)
    assert "attempt 2 of 3" in out.getvalue()


def test_a_scan_that_beam_does_not_name_is_tried_again(tmp_path: Path) -> None:
    record = run(tmp_path, ShakyTogether(config(fails=1, most=2)))
    assert [node.note for node in record.nodes] == ["", "attempt 2 of 2", ""]


def test_after_the_last_attempt_the_failure_stands(tmp_path: Path) -> None:
    record = run(tmp_path, Shaky(config(fails=2, most=2)))
    node = record.nodes[1]
    assert (record.state, node.state, node.reason) == ("failed", "failed", "ValueError: attempt 2 dies")
    assert (tmp_path / "marks").read_text() == ".."


def test_without_attempts_nothing_is_tried_again(tmp_path: Path) -> None:
    assert run(tmp_path, Shaky(config(fails=1, most=1))).nodes[1].reason == "ValueError: attempt 1 dies"
    assert (tmp_path / "marks").read_text() == "."


def test_a_scan_that_another_run_has_overtaken_takes_what_that_has_made(tmp_path: Path) -> None:
    record = run(tmp_path, Overtaken(config(fails=0, most=1)))
    assert [node.state for node in record.nodes] == ["ran", "cached", "cached"]
    assert "normalize failed, and goes on with what another run has made:\n" in log(tmp_path)
    assert "FileNotFoundError" in log(tmp_path)


@pytest.mark.parametrize("beam_args", [(), pytest.param(PROCESSES, marks=pytest.mark.long)], ids=WHERE)
def test_a_refusal_in_a_shard_is_final(tmp_path: Path, beam_args: tuple[str, ...]) -> None:
    record = run(tmp_path, Shaky(FactorConfig(factor=REFUSED, max_attempts=3)), beam_args=beam_args)
    assert record.nodes[1].reason == "Thirteen is refused. Set factor to another number."
    assert "goes on with" not in log(tmp_path)


def test_a_failure_elsewhere_does_not_repeat_a_scan(tmp_path: Path) -> None:
    record = run(tmp_path, Shaky(config(fails=0, most=3)), last=-2)
    assert record.nodes[2].reason == "ValueError: attempt 2 dies"
    assert (tmp_path / "marks").read_text() == "."


def test_a_time_limit_is_for_all_attempts(tmp_path: Path) -> None:
    scan = Shaky(FactorConfig(factor=-FOREVER, max_attempts=FOREVER, time_limit_minutes=0.1))
    reason = run(tmp_path, scan).nodes[1].reason
    assert reason.startswith("normalize took longer than normalize.time_limit_minutes (0.1) and was ended.")
    assert "goes on with attempt 2 of" in log(tmp_path)


def test_a_run_that_was_told_to_stop_tries_nothing_again(tmp_path: Path) -> None:
    record = run(tmp_path, Stopping(config(fails=1, most=3)))
    assert record.state == "interrupted"
    assert (tmp_path / "marks").read_text() == "."
