"""Copies of a bucket on a machine: each holds one state, whole, whatever happens while it is made."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from components.component import ComponentError, Workspace
from components.ingest import Ingest, IngestConfig
from components.ingest.fetch import fetch, list_data, not_copied
from components.ingest.object_listing import Listing
from components.local_copies import DataCopy
from components.object_storage import RemoteFile, RemoteFolder
from components.s3_requests import _client
from tests.s3_server import BUCKET, S3

pytestmark = pytest.mark.long
FAIL_EVERY = 23


@pytest.fixture
def bucket(any_url: str) -> RemoteFolder:
    """A folder of two classes, and a machine that has nothing."""
    return filled(any_url)


def filled(url: str) -> RemoteFolder:
    folder = RemoteFolder(f"{url}/photos")
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        folder.write(name, name.encode())
    return folder


def copied(bucket: RemoteFolder, workspace: Workspace) -> Path:
    return fetch(bucket.url, list_data(bucket.url), workspace)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_state_has_a_copy_of_its_own(bucket: RemoteFolder, workspace: Workspace) -> None:
    first = copied(bucket, workspace)
    before = contents(first)
    assert before == {name: name.encode() for name in ("a/1.png", "a/2.png", "b/1.png")}
    bucket.write("a/1.png", b"another")
    bucket.remove_file("b/1.png")
    bucket.write("c/1.png", b"renamed")
    second = copied(bucket, workspace)
    assert contents(second) == {"a/1.png": b"another", "a/2.png": b"a/2.png", "c/1.png": b"renamed"}
    assert not (second / "b").exists()
    assert contents(first) == before
    assert (first / "a/2.png").samefile(second / "a/2.png")
    assert first.name == second.name == "photos"


def test_only_what_is_new_is_fetched(bucket: RemoteFolder, workspace: Workspace) -> None:
    copied(bucket, workspace)
    bucket.write("b/2.png", b"12345")
    reports: list[float] = []
    again = dataclasses.replace(workspace, report=lambda done, total, note: reports.append(total))
    copied(bucket, again)
    assert reports == [5 / 1e6]
    copied(bucket, again)
    assert reports == [5 / 1e6]


@pytest.mark.parametrize("damage", ["changed", "removed", "added"])
def test_a_damaged_copy_is_made_anew(bucket: RemoteFolder, workspace: Workspace, damage: str) -> None:
    folder = copied(bucket, workspace)
    whole = contents(folder)
    file = folder / "a" / ("new.png" if damage == "added" else "1.png")
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(b"A/1.png")
    assert copied(bucket, workspace) == folder
    assert contents(folder) == whole


def test_an_object_that_was_replaced_within_a_second_by_one_of_its_size_is_another_state(
    bucket: RemoteFolder, workspace: Workspace
) -> None:
    states = set()
    for number in range(5):
        bucket.write("a/1.png", b"%d" % number)
        states.add(list_data(bucket.url).digest)
    assert len(states) == 5
    assert (copied(bucket, workspace) / "a/1.png").read_bytes() == b"4"


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_an_object_that_changes_after_it_was_listed_is_refused(
    bucket: RemoteFolder, workspace: Workspace, change: str
) -> None:
    listing = list_data(bucket.url)
    if change == "replaced":
        bucket.write("a/1.png", b"A/1.PNG")
    else:
        bucket.remove_file("a/1.png")
    with pytest.raises(ComponentError, match=r"photos/a/1\.png has changed since it was listed\. Run again"):
        fetch(bucket.url, listing, workspace)
    assert not DataCopy(bucket.url, listing.digest).folder.exists()
    assert contents(copied(bucket, workspace)).get("a/1.png") == (b"A/1.PNG" if change == "replaced" else None)


def test_a_run_does_not_read_another_state_than_its_key_names(bucket: RemoteFolder, workspace: Workspace) -> None:
    component = Ingest(IngestConfig(dataset=bucket.url))
    seen = dataclasses.replace(workspace, fingerprint=component.fingerprint(workspace.root, {}) or "")
    bucket.write("a/3.png", b"later")
    with pytest.raises(ComponentError, match="written after the run had looked at them"):
        list(component.list_shards(seen))


def test_names_that_no_file_can_have_are_left_out_and_told(
    bucket: RemoteFolder, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    odd = ("a//3.png", "a/" + "x" * 256 + ".png", "d")  # a client of S3 itself refuses dots for folders
    fine = ("d/1.png", "a/tab\there.png", "a/" + "é" * 100 + ".png", "x/" * 400 + "1.png")
    for name in (*odd, *fine):
        bucket.write(name, b"here")
    with caplog.at_level(logging.WARNING):
        folder = copied(bucket, workspace)
    assert set(contents(folder)) == {"a/1.png", "a/2.png", "b/1.png", *fine}
    assert {name for name, _ in not_copied(folder)} == set(odd)
    assert "no file can have the names of 3 objects" in caplog.text
    with pytest.raises(OSError, match="cannot be copied to a disk"):
        bucket.fetch([RemoteFile("../../up.png", 4, 1)], folder)


def test_objects_that_were_deleted_in_a_bucket_with_versions_are_gone(url: str, workspace: Workspace) -> None:
    bucket = filled(url)
    _client().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    bucket.write("a/1.png", b"second version")
    bucket.remove_file("a/2.png")
    _client().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert contents(copied(bucket, workspace)) == {"a/1.png": b"second version", "b/1.png": b"b/1.png"}


def _copy_in_a_process(url: str, root: Path, wait_seconds: float) -> None:
    def report(done: float, total: float, note: str) -> None:
        time.sleep(wait_seconds)

    fetch(url, list_data(url), Workspace(folder=root, scratch=root, root=root, report=report))


def test_two_processes_at_once_make_one_copy(bucket: RemoteFolder, workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_copy_in_a_process, args=(bucket.url, workspace.root, 0.2)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    folder = DataCopy(bucket.url, list_data(bucket.url).digest).folder
    assert len(contents(folder)) == 3
    assert {path.name for path in folder.parents[1].iterdir()} == {".lock", ".url", folder.parent.name}


def test_a_process_that_was_killed_leaves_what_it_has_to_the_next(bucket: RemoteFolder, workspace: Workspace) -> None:
    listing = list_data(bucket.url)
    copy = DataCopy(bucket.url, listing.digest)
    process = multiprocessing.get_context("spawn").Process(
        target=_copy_in_a_process, args=(bucket.url, workspace.root, 600.0)
    )
    process.start()
    while not any(contents(copy.making)):
        assert process.is_alive()
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not copy.folder.exists()
    (copy.making / "a").mkdir(exist_ok=True)
    (copy.making / "a" / ".half").write_bytes(b"half")
    there = {path: path.stat().st_ino for path in copy.making.rglob("*.png")}
    folder = copied(bucket, workspace)
    assert set(contents(folder)) == {"a/1.png", "a/2.png", "b/1.png"}
    assert {(folder / path.relative_to(copy.making)).stat().st_ino for path in there} == set(there.values())
    assert not copy.making.exists()


def test_a_damaged_copy_of_prepared_data_is_gone_to_the_artifact_that_names_it(
    bucket: RemoteFolder, workspace: Workspace
) -> None:
    prepared = bucket.folder("1.0.0")
    for name in ("dataset_info.json", "features.json", "x-train.tfrecord-00000-of-00001"):
        prepared.write(name, b"{}")
    component = Ingest(IngestConfig(dataset=prepared.url))
    folder = copied(prepared, workspace)
    before = component.fingerprint(workspace.root, {})
    assert folder.is_dir()
    (folder / "features.json").write_bytes(b"[]")
    assert component.fingerprint(workspace.root, {}) == before
    assert not folder.exists()


@pytest.mark.parametrize("name", ["photos", "photos/labels.csv"])
def test_a_bucket_without_the_data_is_told_from_one_that_is_not_there(s3: S3, tmp_path: Path, name: str) -> None:
    there, nowhere = f"s3://{BUCKET}/no-such-folder/{name}", f"s3://no-such-bucket/{name}"
    with pytest.raises(ComponentError, match="no objects of that name"):
        list_data(there)
    assert Ingest(IngestConfig(dataset=there)).fingerprint(tmp_path, {}) is None
    with pytest.raises(OSError, match="there is no bucket no-such-bucket: make it"):
        list_data(nowhere)
    with pytest.raises(OSError, match="there is no bucket no-such-bucket: make it"):
        Ingest(IngestConfig(dataset=nowhere)).fingerprint(tmp_path, {})


def test_a_server_that_is_not_there_is_an_error_of_the_system(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"s3://line/photos/ cannot be listed: Could not connect"):
        Listing(RemoteFolder("s3://line/photos").iter_files())
