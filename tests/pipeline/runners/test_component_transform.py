"""The toys, chained on Beam's own in-process runner."""

from __future__ import annotations

import functools
import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from components.component import ComponentError
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.plan import Plan, PlannedEdge, Selection, make_plan
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import DIRECT_RUNNER, run_graph
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from tests.pipeline.toys import Add, Count, CountConfig, FactorConfig, Multiply, Numbers, Total

ORDER = ("ingest", "normalize", "train")
EVERYTHING = Selection(ORDER)


def chain(start: PlannedEdge | BeamEdge, factor: int = 2, count: int = 5, last: int = 1) -> None:
    numbers = start | Count(CountConfig(count=count))
    multiplied = numbers | Multiply(FactorConfig(factor=factor))
    (numbers, multiplied) | Add(FactorConfig(factor=last))


def plan(root: Path, selection: Selection = EVERYTHING, **settings: int) -> Plan:
    return make_plan(functools.partial(chain, **settings), Store(root), selection)


def run(
    root: Path,
    run_id: str = "one",
    selection: Selection = EVERYTHING,
    beam_args: tuple[str, ...] = (),
    **settings: int,
) -> dict[str, NodeRecord]:
    folder = RunFolder(root, run_id)
    folder.create()
    made = plan(root, selection, **settings)
    run_graph(functools.partial(chain, **settings), made, run_id, DIRECT_RUNNER, beam_args)
    return {name: folder.read_node(name) for name in ORDER}


def _run_at(start: Barrier, root: Path, run_id: str) -> None:
    start.wait()
    run(root, run_id)


def test_a_plan_says_what_a_component_chooses_for_inputs_that_are_known(tmp_path: Path) -> None:
    assert [step.note for step in plan(tmp_path).steps] == ["", "", ""]
    run(tmp_path)
    assert [step.note for step in plan(tmp_path, last=9).steps] == ["", "", "5 numbers"]
    assert [step.note for step in plan(tmp_path, factor=3).steps] == ["", "", "5 numbers"]


def states(nodes: dict[str, NodeRecord]) -> list[str]:
    return [node.state for node in nodes.values()]


def committed(root: Path) -> dict[str, Manifest]:
    return {manifest.component: manifest for manifest in Store(root).manifests()}


def test_what_was_made_is_right_and_knows_what_it_was_made_of(tmp_path: Path) -> None:
    assert states(run(tmp_path)) == ["ran", "ran", "ran"]
    manifests = committed(tmp_path)
    store = Store(tmp_path)
    assert store.load(manifests["normalize"], Numbers).values == (0, 2, 4, 6, 8)
    assert store.load(manifests["train"], Total).value == 30
    assert manifests["train"].inputs == {
        "numbers": manifests["ingest"].reference,
        "multiples": manifests["normalize"].reference,
    }
    assert manifests["train"].identity.inputs["multiples"] == manifests["normalize"].digest


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    assert [step.state for step in plan(tmp_path).steps] == ["cached"] * 3
    before = committed(tmp_path)
    assert states(run(tmp_path, "two")) == ["cached"] * 3
    assert committed(tmp_path) == before


def test_a_changed_config_reruns_what_depends_on_it_and_says_so(tmp_path: Path) -> None:
    run(tmp_path)
    steps = plan(tmp_path, factor=3).steps
    assert [step.state for step in steps] == ["cached", "run", "run"]
    assert steps[1].reasons == ("config: factor 2 → 3",)
    assert steps[2].reasons == ("input: normalize will run",)
    assert states(run(tmp_path, "two", factor=3)) == ["cached", "ran", "ran"]


def test_an_equal_result_stops_the_work_downstream(tmp_path: Path) -> None:
    run(tmp_path, count=1)
    assert states(run(tmp_path, "two", count=1, factor=7)) == ["cached", "ran", "cached"]


def test_changed_data_is_a_miss_that_says_so(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "source").write_text("new photos")
    assert plan(tmp_path).steps[0].reasons == ("data: the source changed",)
    assert states(run(tmp_path, "two")) == ["ran", "cached", "cached"]


def test_a_source_that_is_cached_is_looked_at_by_the_plan_alone(tmp_path: Path) -> None:
    run(tmp_path)
    made = plan(tmp_path, factor=3)
    (tmp_path / "source").write_text("written after the plan")
    RunFolder(tmp_path, "two").create()
    run_graph(functools.partial(chain, factor=3), made, "two", DIRECT_RUNNER, ())
    assert [RunFolder(tmp_path, "two").read_node(name).state for name in ORDER] == ["cached", "ran", "ran"]
    assert plan(tmp_path, factor=3).steps[0].reasons == ("data: the source changed",)


def test_a_source_is_looked_at_again_if_its_artifact_is_gone_after_the_plan(tmp_path: Path) -> None:
    run(tmp_path)
    made = plan(tmp_path)
    (tmp_path / committed(tmp_path)["ingest"].folder).rename(tmp_path / "elsewhere")
    (tmp_path / "source").write_text("written after the plan")
    RunFolder(tmp_path, "two").create()
    run_graph(chain, made, "two", DIRECT_RUNNER, ())
    assert RunFolder(tmp_path, "two").read_node("ingest").state == "ran"
    assert plan(tmp_path).steps[0].state == "cached"


def test_a_folder_that_was_deleted_is_a_miss_that_says_so(tmp_path: Path) -> None:
    run(tmp_path)
    folder = tmp_path / committed(tmp_path)["normalize"].folder
    folder.rename(tmp_path / "elsewhere")
    assert plan(tmp_path).steps[1].reasons == (f"gone: {folder}",)
    assert states(run(tmp_path, "two")) == ["cached", "ran", "cached"]


def test_bundles_that_run_twice_end_in_the_same_manifests(tmp_path: Path) -> None:
    run(tmp_path / "once")
    run(tmp_path / "twice", beam_args=("--direct_runner_bundle_repeat=1",))
    once, twice = committed(tmp_path / "once"), committed(tmp_path / "twice")
    assert {name: manifest.key for name, manifest in once.items() if name != "train"} == {
        name: manifest.key for name, manifest in twice.items() if name != "train"
    }
    assert once["normalize"].digest == twice["normalize"].digest
    for name in once:
        assert len(list((tmp_path / "twice" / name).glob("*/attempt-*"))) == 1, name


def test_a_failure_is_recorded_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="attempt 1 dies"):
        run(tmp_path, last=-1)
    failed = RunFolder(tmp_path, "one").read_node("train")
    assert (failed.state, failed.reason) == ("failed", "ValueError: attempt 1 dies")
    assert "attempt 1 dies" in RunFolder(tmp_path, "one").log.read_text()
    assert states(run(tmp_path, "two", last=-1)) == ["cached", "cached", "ran"]
    assert Store(tmp_path).load(committed(tmp_path)["train"], Total).attempts == 2


def test_a_killed_run_is_made_good_by_the_same_command(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=run, args=(tmp_path,), kwargs={"last": -9})
    process.start()
    process.join()
    assert process.exitcode == -9
    assert states(run(tmp_path, "two", last=-9)) == ["cached", "cached", "ran"]


def test_force_runs_again_though_nothing_changed(tmp_path: Path) -> None:
    run(tmp_path)
    selection = Selection(ORDER, forced=frozenset({"normalize"}))
    assert states(run(tmp_path, "two", selection)) == ["cached", "ran", "cached"]


def test_to_leaves_out_what_comes_after(tmp_path: Path) -> None:
    assert states(run(tmp_path, selection=Selection(ORDER, last="normalize"))) == ["ran", "ran", "waiting"]


def test_from_takes_what_was_committed_last(tmp_path: Path) -> None:
    run(tmp_path)
    nodes = run(tmp_path, "two", Selection(ORDER, first="train"), factor=3, last=5)
    assert states(nodes) == ["waiting", "waiting", "ran"]
    assert nodes["train"].summary == {"value": 150}


def other_data(root: Path) -> None:
    """Numbers of another source, in the store beside those of a whole run."""
    run(root, "a")
    (root / "source").write_text("data B")
    run(root, "b", Selection(ORDER, last="ingest"), count=7)


def test_from_follows_the_inputs_of_what_lies_before_it(tmp_path: Path) -> None:
    other_data(tmp_path)
    selection = Selection(ORDER, first="train")
    reused = [step.manifest for step in plan(tmp_path, selection, last=9).steps[:2]]
    assert [manifest.summary for manifest in reused if manifest] == [{"count": 5}, {"count": 5}]
    assert run(tmp_path, "two", selection, last=9)["train"].summary == {"value": 270}


def test_artifacts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    other_data(tmp_path)
    numbers = next(each for each in Store(tmp_path).manifests("ingest") if each.summary == {"count": 7})
    old = next(Store(tmp_path).manifests("normalize"))
    add = ComponentRun(Add(FactorConfig()), (Count(CountConfig()), Multiply(FactorConfig())), tmp_path, "mixed")
    with pytest.raises(ComponentError, match=r"train would take artifacts that do not belong together: ingest is of"):
        add.open(numbers, old)


def test_two_runs_at_once_end_in_the_same_artifacts(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)  # neither shall have ended before the other has begun
    processes = [context.Process(target=_run_at, args=(start, tmp_path, run_id)) for run_id in ("one", "two")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    digests = [
        {name: RunFolder(tmp_path, run_id).read_node(name).digest for name in ORDER} for run_id in ("one", "two")
    ]
    assert digests[0] == digests[1]
    assert len(list(tmp_path.glob("*/*/manifest.json"))) == len(ORDER)


def test_a_refusal_inside_of_a_scan_reaches_the_driver(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"Thirteen is refused\. Set factor to another number\."):
        run(tmp_path, factor=13)


def test_a_scan_that_ends_early_shows_how_far_it_was(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Thirteen"):
        run(tmp_path, factor=13)
    node = RunFolder(tmp_path, "one").read_node("normalize")
    assert (node.state, node.total, node.note) == ("running", 5, "shards")
    assert 1 <= node.done <= 5
