from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.record import NodeRecord, RunFolder, RunRecord, RunState, check_run_id, is_alive, new_run_id, run_records


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


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_a_run_that_did_not_may_go_on_under_its_name(tmp_path: Path, state: RunState) -> None:
    write(tmp_path, record("a", state))
    check_run_id(tmp_path, "a")


def test_generated_names_pass(tmp_path: Path) -> None:
    check_run_id(tmp_path, new_run_id())


def test_a_run_of_a_dead_process_is_not_alive() -> None:
    assert is_alive(record("a"))
    assert not is_alive(record("a").model_copy(update={"process": 2**22 + 1}))


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file cannot be written: Not a directory\. Name another folder"):
        RunFolder(tmp_path / "file", "a").create()
