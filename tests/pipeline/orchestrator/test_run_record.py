from __future__ import annotations

import multiprocessing
import os
import socket
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.orchestrator.root_lock import process_began
from pipeline.orchestrator.run_record import (
    NodeRecord,
    RunFolder,
    RunRecord,
    RunState,
    check_run_id,
    is_alive,
    new_run_id,
    run_records,
)

NO_PROCESS = 2**22 + 1  # above what Linux gives out


def record(run_id: str, state: RunState = "running", started: str = "2026-11-23T00:00:00") -> RunRecord:
    return RunRecord(run_id=run_id, state=state, command=("run",), started=started, process=os.getpid(), config={})


def write(root: Path, written: RunRecord) -> RunFolder:
    folder = RunFolder(root, written.run_id)
    folder.create()
    folder.write(written)
    return folder


def test_records_are_listed_by_their_start(tmp_path: Path) -> None:
    write(tmp_path, record("b", started="2026-11-23T00:00:02"))
    write(tmp_path, record("c", started="2026-11-23T00:00:01"))
    (tmp_path / "runs" / "torn").mkdir()
    (tmp_path / "runs" / "torn" / "run.json").write_text("{")
    assert [each.run_id for each in run_records(tmp_path)] == ["c", "b"]


def test_a_node_that_has_not_begun_is_waiting(tmp_path: Path) -> None:
    folder = write(tmp_path, record("a"))
    assert folder.read_node("train") == NodeRecord(component="train", state="waiting")
    node = NodeRecord(component="train", state="running", done=1, total=2)
    folder.write_node(node)
    assert folder.read_node("train") == node


def test_a_node_that_has_its_artifact_is_never_at_work_again(tmp_path: Path) -> None:
    folder = write(tmp_path, record("a"))
    ran = NodeRecord(component="train", state="ran", digest="d")
    folder.write_node(ran)
    for late in ("running", "failed"):
        folder.write_node(NodeRecord(component="train", state=late))
        assert folder.read_node("train") == ran


def test_a_look_up_that_finds_the_artifact_again_is_no_news(tmp_path: Path) -> None:
    folder = write(tmp_path, record("a"))
    ran = NodeRecord(component="train", state="ran", digest="d", seconds=60, note="attempt 2 of 2")
    folder.write_node(ran)
    folder.write_node(NodeRecord(component="train", state="ran", digest="d"))
    assert folder.read_node("train") == ran
    other = NodeRecord(component="train", state="ran", digest="e")
    folder.write_node(other)
    assert folder.read_node("train") == other


def test_a_failed_node_may_be_tried_again(tmp_path: Path) -> None:
    folder = write(tmp_path, record("a"))
    folder.write_node(NodeRecord(component="train", state="failed"))
    folder.write_node(NodeRecord(component="train", state="running"))
    assert folder.read_node("train").state == "running"


def test_a_scan_is_as_far_as_its_workers_have_begun_shards(tmp_path: Path) -> None:
    folder = write(tmp_path, record("a"))
    scanning = NodeRecord(component="normalize", state="running")
    folder.write_scan(scanning, 3)
    for _ in range(2):
        folder.begin_shard("normalize")
    node = folder.read_node("normalize")
    assert (node.done, node.total, node.note) == (2, 3, "shards")
    folder.write_scan(scanning, 3)  # the retry counts anew
    assert folder.read_node("normalize").done == 0
    folder.begin_shard("normalize")
    folder.write_waiting("normalize", "attempt 2 of 3 after OSError")
    assert folder.scanned_by("normalize") == []
    folder.write_scan(scanning.model_copy(update={"note": "attempt 2 of 3"}), 3)
    folder.begin_shard("normalize")
    node = folder.read_node("normalize")
    assert (node.done, node.total, node.note) == (1, 3, "shards, attempt 2 of 3")
    folder.write_node(scanning.model_copy(update={"state": "ran"}))
    assert folder.read_node("normalize").done == 0


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", ".hidden", "x" * 101, "ä"])
def test_names_that_are_no_folder_names_are_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="expected up to 100 letters, digits, dots, dashes and underscores"):
        check_run_id(tmp_path, run_id)


def test_the_name_of_a_run_that_ended_well_is_refused(tmp_path: Path) -> None:
    write(tmp_path, record("a", "pushed"))
    with pytest.raises(UsageError, match=r"^--run_id a: that run has ended \(pushed\)\. Choose another, or leave"):
        check_run_id(tmp_path, "a")


@pytest.mark.parametrize("state", ["failed", "interrupted", "killed", "running"])
def test_a_run_that_did_not_may_go_on_under_its_name(tmp_path: Path, state: RunState) -> None:
    write(tmp_path, record("a", state).model_copy(update={"process": NO_PROCESS}))
    check_run_id(tmp_path, "a")


def test_the_name_of_a_run_that_is_at_work_is_refused(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    with pytest.raises(UsageError, match=rf"--run_id a: that run is at work, as process {os.getpid()}\. Wait for it"):
        RunFolder(tmp_path, "a").begin(record("a"))


def _begin(start: Barrier, root: Path, codes: Queue[int]) -> None:
    start.wait()
    try:
        RunFolder(root, "a").begin(record("a"))
    except UsageError:
        codes.put(2)
        return
    codes.put(0)
    start.wait()  # a process that had ended would give the name free


def test_of_two_runs_that_begin_at_once_one_gets_the_name(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, codes = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_begin, args=(start, tmp_path, codes), daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    start.wait()
    assert sorted(codes.get(timeout=60) for _ in processes) == [0, 2]
    for process in processes:
        process.kill()
        process.join()


def test_generated_names_pass(tmp_path: Path) -> None:
    check_run_id(tmp_path, new_run_id())


def test_a_run_of_a_dead_process_is_not_alive() -> None:
    assert is_alive(record("a"))
    assert not is_alive(record("a").model_copy(update={"process": NO_PROCESS}))


def test_another_process_of_the_same_number_is_not_the_run() -> None:
    ours = record("a").model_copy(update={"process_began": process_began(os.getpid()), "host": socket.gethostname()})
    assert is_alive(ours)
    assert not is_alive(ours.model_copy(update={"process_began": process_began(1)}))  # as after a boot
    assert not is_alive(ours.model_copy(update={"host": "another"}))


def test_a_worker_that_shares_no_disk_makes_the_folders_that_it_writes_to(tmp_path: Path) -> None:
    RunFolder(tmp_path / "1", "a").write_node(NodeRecord(component="train", state="running"))
    RunFolder(tmp_path / "2", "a").begin_shard("normalize")
    RunFolder(tmp_path / "3", "a").append_log("a line")
    RunFolder(tmp_path / "4", "a").write_scan(NodeRecord(component="normalize", state="running"), 2)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 5


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file cannot be written: Not a directory\. Name another folder"):
        RunFolder(tmp_path / "file", "a").create()
