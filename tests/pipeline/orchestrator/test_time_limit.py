"""Components that hang, in the command's own process and in others."""

from __future__ import annotations

import functools
import multiprocessing
import os
from pathlib import Path

import pytest

from components.component import ComponentError
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.plan import PlannedEdge, Selection, make_plan
from pipeline.orchestrator.run_record import RunFolder
from pipeline.orchestrator.time_limit import is_left_behind
from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import run_graph
from pipeline.store.local_store import Store
from tests.pipeline.toys import HANGS, Add, Count, CountConfig, FactorConfig, Multiply, multiply

ORDER = ("ingest", "normalize", "train")
SECOND = 1 / 60
PATIENCE_SECONDS = 120
THREADS = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
HANGING = FactorConfig(factor=HANGS, time_limit_minutes=SECOND)
PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


def chain(start: PlannedEdge | BeamEdge, normalize: FactorConfig, train: FactorConfig) -> None:
    numbers = start | Count(CountConfig())
    (numbers, numbers | Multiply(normalize)) | Add(train)


def run(root: Path, *beam_args: str, **changed: FactorConfig) -> RunFolder:
    folder = RunFolder(root, "one")
    folder.create()
    graph = functools.partial(chain, **{"normalize": FactorConfig(), "train": FactorConfig(), **changed})
    run_graph(graph, make_plan(graph, Store(root), Selection(ORDER)), "one", DIRECT_RUNNER, beam_args)
    return folder


def late(component: str) -> str:
    return (
        f"{component} took longer than {component}.time_limit_minutes (0.0166667) and was ended. The log shows what it "
        "was doing. If it was only slow, raise the limit."
    )


def run_and_leave(root: Path, options: tuple[str, ...], hanging: str) -> None:
    """Writes why the run failed to the file `reason`, and ends as the command does."""
    try:
        run(root, *options, **{hanging: HANGING})
    except ComponentError as error:
        (root / "reason").write_text(str(error))
    os._exit(0)


def reason_of(root: Path, options: tuple[str, ...], hanging: str) -> str:
    """Why a run in a process of its own failed: what hangs in this one would stay in it."""
    process = multiprocessing.get_context("spawn").Process(target=run_and_leave, args=(root, options, hanging))
    process.start()
    process.join(PATIENCE_SECONDS)
    process.kill()
    assert "in _hang_or_refuse" in RunFolder(root, "one").log.read_text()
    return (root / "reason").read_text()


@pytest.mark.parametrize("hanging", ["normalize", "train"])
def test_a_component_that_hangs_is_ended_with_a_sentence(tmp_path: Path, hanging: str) -> None:
    assert reason_of(tmp_path, (), hanging) == late(hanging)
    assert late(hanging) in RunFolder(tmp_path, "one").log.read_text()
    assert hanging not in {manifest.component for manifest in Store(tmp_path).manifests()}


@pytest.mark.long
@pytest.mark.parametrize("options", [THREADS, PROCESSES], ids=["threads", "processes"])
@pytest.mark.parametrize("hanging", ["normalize", "train"])
def test_several_workers_that_hang_do_not_keep_the_run(tmp_path: Path, options: tuple[str, ...], hanging: str) -> None:
    assert reason_of(tmp_path, options, hanging) == late(hanging)


def test_a_limit_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    folder = run(tmp_path, train=FactorConfig(time_limit_minutes=60))
    assert [folder.read_node(name).state for name in ORDER] == ["ran", "ran", "ran"]
    assert not is_left_behind()


def test_a_failure_within_the_limit_says_what_it_would_without(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="attempt 1 dies"):
        run(tmp_path, train=FactorConfig(factor=-1, time_limit_minutes=60))
    assert RunFolder(tmp_path, "one").read_node("train").reason == "ValueError: attempt 1 dies"


def work_alone(root: Path, config: FactorConfig) -> None:
    """As a worker of an engine does: without the command's process."""
    numbers = ComponentRun(Count(CountConfig()), (), root, "one").run()
    scan = ComponentRun(Multiply(config), (Count(CountConfig()),), root, "one")
    lookup = scan.open(numbers)
    for shard in scan.list_shards(lookup, numbers):
        scan.begin(lookup, shard)
        multiply(shard, config.factor)
    scan.combine(lookup, numbers, results=[1, 2])


@pytest.mark.parametrize(("factor", "exit_code"), [(HANGS, 1), (2, 0)], ids=["hangs", "works"])
def test_a_worker_elsewhere_ends_itself_if_it_hangs(tmp_path: Path, factor: int, exit_code: int) -> None:
    RunFolder(tmp_path, "one").create()
    config = FactorConfig(factor=factor, time_limit_minutes=SECOND)
    process = multiprocessing.get_context("spawn").Process(target=work_alone, args=(tmp_path, config))
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == exit_code
    node, log = RunFolder(tmp_path, "one").read_node("normalize"), RunFolder(tmp_path, "one").log
    if factor == HANGS:
        assert (node.state, node.reason) == ("failed", late("normalize"))
        assert "in _hang_or_refuse" in log.read_text()
    else:
        assert node.state == "ran"
