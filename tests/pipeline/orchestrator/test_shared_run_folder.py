"""What workers report through a bucket; folders stand for machines."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.object_storage import RemoteFolder
from pipeline.orchestrator.run_record import STOP, NodeRecord, RunFolder
from pipeline.orchestrator.shared_run_folder import SharedRunFolder
from pipeline.store.remote_store import RemoteStore
from tests.s3_server import S3


def followed(url: str, root: Path) -> RunFolder:
    """The run as the command sees it by now."""
    run = RunFolder(root, "one")
    run.path.mkdir(parents=True, exist_ok=True)
    with RemoteStore(root, url).following(run.path, STOP):
        pass
    return run


def test_the_command_sees_what_workers_on_two_machines_report(url: str, tmp_path: Path) -> None:
    one, other = (SharedRunFolder(tmp_path / name, "one", url) for name in ("one", "other"))
    other._worker = "other-1"
    one.write_scan(NodeRecord(component="embed", state="running"), shards=3)
    for worker in (one, other, other):
        worker.begin_shard("embed")
    run = followed(url, tmp_path / "command")
    node = run.read_node("embed")
    assert (node.state, node.done, node.total) == ("running", 3, 3)
    other.append_log("embed failed:\nValueError: a reason")
    other.write_node(NodeRecord(component="embed", state="failed", reason="a reason"))
    run = followed(url, tmp_path / "command")
    assert (run.read_node("embed").state, run.read_node("embed").reason) == ("failed", "a reason")
    assert "a reason" in "".join(path.read_text() for path in run.path.glob("log-*.txt"))


def test_a_scan_that_begins_again_counts_from_nothing(url: str, tmp_path: Path) -> None:
    first, second = (SharedRunFolder(tmp_path / name, "one", url) for name in ("first", "second"))
    first.begin_shard("embed")
    run = followed(url, tmp_path / "command")
    assert len(run.scanned_by("embed")) == 1
    second._worker = "second-1"
    second.write_scan(NodeRecord(component="embed", state="running"), shards=3)
    assert followed(url, tmp_path / "another command").scanned_by("embed") == []


def test_progress_is_told_now_and_then_and_the_end_at_once(url: str, tmp_path: Path) -> None:
    run, stored = SharedRunFolder(tmp_path / "one", "one", url), RemoteFolder(f"{url}/runs/one")

    def told() -> NodeRecord:
        return NodeRecord.model_validate_json(stored.read("nodes/train.json") or b"")

    run.write_node(NodeRecord(component="train", state="running"))
    for done in range(1, 50):
        run.write_node(NodeRecord(component="train", state="running", done=done, total=50))
    assert told().done < 49
    run.write_node(NodeRecord(component="train", state="ran", digest="d"))
    assert told().state == "ran"


def test_of_states_within_a_second_the_last_one_counts(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.followed_folder.INTERVAL_SECONDS", 0.02)
    worker, run = SharedRunFolder(tmp_path / "worker", "one", url), RunFolder(tmp_path / "command", "one")
    run.path.mkdir(parents=True)
    with RemoteStore(tmp_path / "command", url).following(run.path, STOP):
        for number in range(8):
            worker.write_node(NodeRecord(component="train", state="running", note=str(number)))
            deadline = time.monotonic() + 20
            while run.read_node("train").note != str(number):
                assert time.monotonic() < deadline, number
                time.sleep(0.01)


def test_a_late_duplicate_on_another_machine_does_not_take_the_end_back(url: str, tmp_path: Path) -> None:
    one, other = (SharedRunFolder(tmp_path / name, "one", url) for name in ("one", "other"))
    one.write_node(NodeRecord(component="train", state="ran", digest="d"))
    other.write_node(NodeRecord(component="train", state="failed", reason="late"))
    assert followed(url, tmp_path / "command").read_node("train").state == "ran"


def test_all_workers_hear_that_the_run_is_to_stop(url: str, tmp_path: Path) -> None:
    worker = SharedRunFolder(tmp_path / "worker", "one", url)
    assert not worker.stopping
    run = RunFolder(tmp_path / "command", "one")
    run.create()
    with RemoteStore(tmp_path / "command", url).following(run.path, STOP):
        run.stop()
    assert worker.stopping


def test_a_report_that_does_not_get_through_does_not_make_the_work_fail(
    s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = SharedRunFolder(tmp_path, "one", "s3://no-such-bucket/root")
    run.write_node(NodeRecord(component="train", state="ran"))
    assert "was not told how the work is getting on" in caplog.text
