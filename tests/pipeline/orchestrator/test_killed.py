"""Runs whose process, or worker process, is killed as the kernel does it when memory is full."""

from __future__ import annotations

import functools
import io
import json
import multiprocessing
import os
import re
import socket
import time
from pathlib import Path
from typing import TextIO

import pytest

from components.memory import memory_limit_bytes, peak_memory_bytes
from pipeline import runs
from pipeline.config import DEFAULT_PATH, load_config
from pipeline.orchestrator import killed
from pipeline.orchestrator.execution import begin
from pipeline.orchestrator.plan import PlannedEdge, Selection, make_plan
from pipeline.orchestrator.run_record import REPORT_NAME, NodeRecord, RunFolder, RunRecord
from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import run_graph
from pipeline.store.local_store import Store
from tests.pipeline.toys import REFUSED, TOO_LARGE, Add, Count, CountConfig, FactorConfig, Multiply

PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
KILLED = r"killed in train; its memory was last \d\.\d GB of \d+\.\d GB"
KILLS = -9
STARTED = "2026-11-23T02:45:00+00:00"


def chain(start: PlannedEdge | BeamEdge, last: int, factor: int) -> None:
    numbers = start | Count(CountConfig())
    (numbers, numbers | Multiply(FactorConfig(factor=factor))) | Add(FactorConfig(factor=last))


def run(
    root: Path, run_id: str, out: TextIO, last: int = KILLS, factor: int = 2, options: tuple[str, ...] = ()
) -> RunRecord:
    """A run with a record, as the command makes it."""
    graph = functools.partial(chain, last=last, factor=factor)
    plan = make_plan(graph, Store(root), Selection(("ingest", "normalize", "train")))
    execution = begin(load_config(DEFAULT_PATH, []), plan, run_id, ("pipeline.run",), out)
    failure = execution.work(lambda: run_graph(graph, plan, run_id, DIRECT_RUNNER, options))
    return execution.finish(failure, None)[0]


def run_in_child(root: Path, *given: object) -> int | None:
    """Returns the exit code of a process that runs."""
    process = multiprocessing.get_context("spawn").Process(target=run_and_leave, args=(root, *given))
    process.start()
    process.join()
    return process.exitcode


def run_and_leave(root: Path, *given: object) -> None:
    with (root / "out").open("w") as out:
        run(root, "one", out, *given)  # type: ignore[arg-type]
    os._exit(0)  # as the command: a thread may be left behind


def record_of(root: Path, run_id: str) -> RunRecord:
    record = RunFolder(root, run_id).read()
    assert record is not None
    return record


def test_a_run_that_was_killed_says_so_wherever_it_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_in_child(tmp_path) == -9
    node = RunFolder(tmp_path, "one").read_node("train")
    assert 10_000_000 < node.peak_memory_bytes < node.memory_limit_bytes == memory_limit_bytes()

    assert runs.main([f"--pipeline_root={tmp_path}"]) == 0
    shown = rf"^one +\S+ \S+ +killed +0\.0 s  {KILLED.removeprefix('killed ')}\n$"
    assert re.match(shown, capsys.readouterr().out)
    assert runs.main([f"--pipeline_root={tmp_path}", "--output=json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["state"], bool(re.fullmatch(KILLED, listed["reason"]))) == ("killed", True)
    assert record_of(tmp_path, "one").state == "running"  # a command that only looks writes nothing

    out = io.StringIO()
    assert run(tmp_path, "two", out).state == "completed"
    assert re.match(rf"run one was {KILLED}\nrun two\n", out.getvalue())
    record = record_of(tmp_path, "one")
    assert (record.state, record.reason) == ("killed", listed["reason"])
    again = io.StringIO()
    run(tmp_path, "three", again)
    assert "run one" not in again.getvalue()


def test_the_name_of_a_killed_run_may_be_used_again(tmp_path: Path) -> None:
    assert run_in_child(tmp_path) == -9
    out = io.StringIO()
    assert run(tmp_path, "one", out).state == "completed"
    assert re.match(rf"run one was {KILLED}\n", out.getvalue())
    assert record_of(tmp_path, "one").reason == ""


@pytest.mark.long
def test_a_worker_process_that_was_killed_ends_the_run(tmp_path: Path) -> None:
    """Beam's local runner would wait for it for ever."""
    assert run_in_child(tmp_path, KILLS, 2, PROCESSES) == 0
    record = record_of(tmp_path, "one")
    assert record.state == "failed"
    assert re.search(rf"worker process \d+ was {KILLED}\. If memory was full, use fewer", record.nodes[2].reason)
    assert "worker process" in (tmp_path / "out").read_text()


@pytest.mark.long
def test_a_failure_in_worker_processes_keeps_its_own_reason(tmp_path: Path) -> None:
    """Though Beam ends the worker processes then, while the record says that they work."""
    assert run_in_child(tmp_path, 2, REFUSED, PROCESSES) == 0
    assert "Thirteen is refused." in record_of(tmp_path, "one").nodes[1].reason


def test_memory_that_python_misses_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    record = run(tmp_path, "one", io.StringIO(), TOO_LARGE)
    assert record.nodes[2].reason == (
        "Memory is full. Lower train.batch_size, train.max_cache_megabytes or evaluate.batch_size."
    )


def test_runs_of_other_machines_are_left_to_them(tmp_path: Path) -> None:
    assert run_in_child(tmp_path) == -9
    folder = RunFolder(tmp_path, "one")
    folder.write(record_of(tmp_path, "one").model_copy(update={"host": "another"}))
    assert killed.record_killed(tmp_path) == []
    fall_silent(folder)
    assert killed.record_killed(tmp_path) == []
    assert record_of(tmp_path, "one").state == "running"


def run_of_another_machine(root: Path) -> RunFolder:
    """The files of a run that trains on the machine m1, where its process has a number that no process has here."""
    folder = RunFolder(root, "one")
    folder.begin(
        RunRecord(run_id="one", state="running", command=(), started=STARTED, process=2**22 + 1, host="m1", config={})
    )
    folder.write_node(NodeRecord(component="train", state="running"))
    return folder


def fall_silent(folder: RunFolder) -> None:
    """Dates the run's files back by more than an hour; then makes its page, as anybody may."""
    silent = time.time() - killed.SILENCE_SECONDS - 60
    for path in (folder.path, *folder.path.rglob("*")):
        os.utime(path, (silent, silent))
    (folder.path / REPORT_NAME).touch()


def test_a_run_of_another_machine_goes_on_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_of_another_machine(tmp_path)
    assert not killed.was_killed(tmp_path, record_of(tmp_path, "one"))
    assert runs.main([f"--pipeline_root={tmp_path}"]) == 0
    assert re.match(r"one +\S+ \S+ +running on m1 +0\.0 s\n$", capsys.readouterr().out)
    assert runs.main([f"--pipeline_root={tmp_path}", "--output=json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["state"], listed["host"], listed["reason"]) == ("running", "m1", "")


def test_a_run_of_another_machine_that_fell_silent_is_taken_for_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_of_another_machine(tmp_path)
    fall_silent(folder)
    assert killed.was_killed(tmp_path, record_of(tmp_path, "one"))
    assert runs.main([f"--pipeline_root={tmp_path}"]) == 0
    assert capsys.readouterr().out.endswith("killed            0.0 s  in train; m1 has written nothing for an hour\n")
    folder.append_log("a line")
    assert not killed.was_killed(tmp_path, record_of(tmp_path, "one"))


def test_a_node_that_recorded_no_memory_is_named_without_it() -> None:
    nodes = [NodeRecord(component=name, state="running") for name in ("ingest", "train")]
    assert killed.describe_end(nodes) == "killed in ingest and train"
    assert killed.describe_end([]) == "killed"
    nodes[1] = nodes[1].model_copy(update={"peak_memory_bytes": 13_900_000_000, "memory_limit_bytes": 14_000_000_000})
    assert killed.describe_end(nodes[1:]) == "killed in train; its memory was last 13.9 GB of 14.0 GB"


def test_a_scan_knows_the_memory_of_its_workers(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "one")
    folder.write_scan(NodeRecord(component="normalize", state="running"), 2)
    assert folder.read_node("normalize").peak_memory_bytes == 0
    folder.begin_shard("normalize")
    assert 0 < folder.read_node("normalize").peak_memory_bytes <= peak_memory_bytes()
    assert folder.scanned_by("normalize") == [f"{socket.gethostname()}:{os.getpid()}"]
