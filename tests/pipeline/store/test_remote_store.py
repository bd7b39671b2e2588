"""The store on servers that speak S3 and Google's, and fail now and then; two folders stand for two machines."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import Push
from components.local_copies import local_copy
from components.object_storage import RemoteFile, RemoteFolder
from components.registry.registry import open_registry
from components.registry.staging import staging_folder, write_provenance
from pipeline.store.local_store import Store
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from pipeline.store.opening import open_store
from pipeline.store.remote_store import RemoteStore
from pipeline.store.tree import RemoteTree
from tests.pipeline.toys import Numbers
from tests.s3_server import S3

IDENTITY = Identity(component="ingest", config={"count": 3}, code={}, libraries={}, inputs={}, fingerprint="")
MADE = BuildInfo(run_id="one", finished="2026-11-24T12:00:00", seconds=1, host="here", python="3.11", libraries={})
FAIL_EVERY = 23


def commit(store: Store, values: tuple[int, ...] = (1, 2, 3), replace: bool = False) -> Manifest:
    attempt = store.open_attempt(IDENTITY)
    (attempt.folder / "nested").mkdir()
    (attempt.folder / "nested" / ".hidden").write_bytes(bytes(values))
    artifact = Numbers(folder=attempt.folder, values=values).write()
    return store.commit(IDENTITY, artifact, {}, MADE, replace=replace)


def test_a_url_is_worked_on_in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path))
    one, other = open_store("s3://line/one/root"), open_store("gs://line/one/root")
    assert one.root.name == other.root.name == "root"
    assert one.root != other.root
    assert one.root.parent.parent == tmp_path
    assert open_store("s3://line/one/root/").root == one.root == local_copy("s3://line/one/root")
    assert type(open_store("some/folder")) is Store


def test_what_one_machine_commits_another_one_loads(any_url: str, tmp_path: Path) -> None:
    one, other = RemoteStore(tmp_path / "one", any_url), RemoteStore(tmp_path / "other", any_url)
    assert other.find("ingest", IDENTITY.key) is None
    manifest = commit(one)
    assert other.find("ingest", IDENTITY.key) == manifest == other.newest("ingest")
    assert other.load(manifest, Numbers).values == (1, 2, 3)
    assert (other.root / manifest.folder / "nested" / ".hidden").read_bytes() == b"\1\2\3"


def test_processes_of_one_machine_may_fetch_the_same_artifact_at_once(any_url: str, tmp_path: Path) -> None:
    manifest, other = commit(RemoteStore(tmp_path / "one", any_url)), RemoteStore(tmp_path / "other", any_url)
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: other.load(manifest, Numbers), range(4)))
    assert [each.values for each in loaded] == 4 * [(1, 2, 3)]
    assert [path.name for path in (other.root / manifest.folder).parent.iterdir()] == [Path(manifest.folder).name]


def test_whoever_commits_second_takes_what_is_there(any_url: str, tmp_path: Path) -> None:
    first = commit(RemoteStore(tmp_path / "one", any_url))
    other = RemoteStore(tmp_path / "other", any_url)
    assert commit(other, (4, 5)) == first
    assert other.load(first, Numbers).values == (1, 2, 3)
    forced = commit(other, (4, 5), replace=True)
    assert RemoteStore(tmp_path / "one", any_url).find("ingest", IDENTITY.key) == forced != first


def test_a_manifest_is_created_once(any_url: str) -> None:
    folder = RemoteFolder(any_url)
    for text in (b"first", b"second"):
        folder.create("manifest.json", text)
    assert folder.read("manifest.json") == b"first"


def test_an_upload_that_was_killed_is_no_artifact(any_url: str, tmp_path: Path) -> None:
    one = RemoteStore(tmp_path / "one", any_url)
    attempt = one.open_attempt(IDENTITY)
    Numbers(folder=attempt.folder, values=(1,)).write()
    one.upload(attempt.folder)
    other = RemoteStore(tmp_path / "other", any_url)
    assert other.find("ingest", IDENTITY.key) is None
    assert list(other.manifests()) == []
    assert commit(other).summary == {"count": 3}


def test_an_artifact_that_has_lost_a_file_is_a_miss(any_url: str, tmp_path: Path) -> None:
    store = RemoteStore(tmp_path, any_url)
    manifest = commit(store)
    RemoteFolder(any_url).remove(f"{manifest.folder}/nested")
    (fault,) = store.faults(manifest)
    assert fault.startswith(f"damaged: {tmp_path / manifest.folder} has ")
    assert store.find("ingest", IDENTITY.key) is None
    assert commit(store).folder != manifest.folder
    assert store.find("ingest", IDENTITY.key) is not None


def test_damage_is_found_when_the_artifact_is_fetched(any_url: str, tmp_path: Path) -> None:
    manifest = commit(RemoteStore(tmp_path / "one", any_url))
    RemoteFolder(any_url).write(f"{manifest.folder}/nested/.hidden", b"abc")
    other = RemoteStore(tmp_path / "other", any_url)
    with pytest.raises(OSError, match=r"is damaged: its digest is \w+, expected \w+"):
        other.load(manifest, Numbers)
    assert not (other.root / manifest.folder).exists()


def test_a_single_file_is_shared_alone(any_url: str, tmp_path: Path) -> None:
    store = RemoteStore(tmp_path, any_url)
    (tmp_path / "runs").mkdir()
    for name in ("index.html", "other.html"):
        (tmp_path / "runs" / name).write_text("page")
    store.upload(tmp_path / "runs" / "index.html")
    assert [file.name for file in RemoteFolder(any_url).files()] == ["runs/index.html"]


def test_scratch_is_found_by_the_next_machine_and_gone_after_the_commit(any_url: str, tmp_path: Path) -> None:
    one, other = RemoteStore(tmp_path / "one", any_url), RemoteStore(tmp_path / "other", any_url)
    attempt = one.open_attempt(IDENTITY)
    (attempt.scratch / "checkpoint.npz").write_text("half way")
    (attempt.scratch / "checkpoint.unfinished").write_text("no")
    one.upload(attempt.scratch)
    assert [path.name for path in other.open_attempt(IDENTITY).scratch.iterdir()] == ["checkpoint.npz"]
    commit(other)
    third = RemoteStore(tmp_path / "third", any_url)
    assert list(third.open_attempt(IDENTITY).scratch.iterdir()) == []


def test_scratch_that_another_machine_writes_meanwhile_is_fetched_as_it_is_then(
    any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = RemoteStore(tmp_path / "one", any_url), RemoteStore(tmp_path / "other", any_url)
    checkpoint = one.open_attempt(IDENTITY).scratch / "checkpoint.npz"
    checkpoint.write_text("half way")
    one.upload(checkpoint)
    fetch, texts = RemoteFolder.fetch, iter(["further", "further still"])

    def fetch_late(folder: RemoteFolder, files: Iterable[RemoteFile], *rest: Any) -> None:
        listed = list(files)
        if listed and (text := next(texts, None)) is not None:
            checkpoint.write_text(text)
            one.upload(checkpoint)
        fetch(folder, listed, *rest)

    monkeypatch.setattr(RemoteFolder, "fetch", fetch_late)
    assert (other.open_attempt(IDENTITY).scratch / "checkpoint.npz").read_text() == "further still"


def test_scratch_that_a_late_attempt_has_shared_again_goes_with_it(any_url: str, tmp_path: Path) -> None:
    late, first = RemoteStore(tmp_path / "late", any_url), RemoteStore(tmp_path / "first", any_url)
    attempt = late.open_attempt(IDENTITY)
    made = commit(first)
    (attempt.scratch / "checkpoint.npz").write_text("late")
    late.upload(attempt.scratch)
    assert commit(late) == made
    assert not any("/scratch/" in file.name for file in RemoteFolder(any_url).files())


def test_scratch_of_what_was_committed_counts_as_an_attempt_that_the_clean_up_may_remove(
    any_url: str, tmp_path: Path
) -> None:
    store = RemoteStore(tmp_path, any_url)
    home = f"ingest/{IDENTITY.key}"
    RemoteFolder(any_url).write(f"{home}/scratch/checkpoint.npz", b"killed")
    assert RemoteTree(store.root, any_url).homes("ingest") == [tmp_path / home]
    for is_committed in (False, True):
        tree = RemoteTree(store.root, any_url)
        tree.homes("ingest")
        assert (tmp_path / home / "scratch" in tree.attempts(tmp_path / home)) is is_committed
        commit(store)
        RemoteFolder(any_url).write(f"{home}/scratch/checkpoint.npz", b"killed")


def publish(store: RemoteStore, text: str) -> Manifest:
    registry = open_registry(store.root, store.url)
    with staging_folder(registry.folder) as staging:
        (staging / "assets.extra").mkdir()
        (staging / "saved_model.pb").write_text(text)
        write_provenance(staging, text, {})
        version = registry.publish(staging, text)
    identity = IDENTITY.model_copy(update={"component": "push", "fingerprint": text})
    attempt = store.open_attempt(identity)
    push = Push(folder=attempt.folder, version=int(version.name), version_directory=version).write()
    return store.commit(identity, push, {}, MADE)


def test_a_version_is_there_whole_or_not_at_all(any_url: str, tmp_path: Path) -> None:
    one, other = RemoteStore(tmp_path / "one", any_url), RemoteStore(tmp_path / "other", any_url)
    manifest = publish(one, "first")
    RemoteFolder(any_url).write("pushed/2/saved_model.pb", b"the upload of version 2 was killed here")
    other.fetch_shared(None)
    assert sorted(path.name for path in (other.root / "pushed").iterdir()) == [".lock", "1", "latest"]
    assert not (other.root / "pushed" / "1" / "saved_model.pb").exists()
    assert other.load(manifest, Push).version_directory == other.root / "pushed" / "1"
    assert (other.root / "pushed" / "1" / "saved_model.pb").read_text() == "first"


def test_a_version_that_is_gone_or_withdrawn_is_a_miss(any_url: str, tmp_path: Path) -> None:
    one, other = RemoteStore(tmp_path / "one", any_url), RemoteStore(tmp_path / "other", any_url)
    first, second = publish(one, "first"), publish(one, "second")
    open_registry(one.root, any_url).roll_back()
    RemoteFolder(any_url).remove_file("pushed/1/saved_model.pb")
    for manifest in (first, second):
        assert other.find("push", manifest.key) is None
        assert other.faults(manifest) == [f"gone: {other.root / manifest.places['version_directory']}"]


def test_what_is_known_is_looked_up_by_one_request_each(url: str, tmp_path: Path, requests: dict[str, None]) -> None:
    store = RemoteStore(tmp_path, url)
    manifest, _, pushed = commit(store), publish(store, "one"), publish(store, "two")
    store.find("ingest", manifest.key)
    requests.clear()
    store.fetch_shared(None)
    assert store.find("ingest", manifest.key) == manifest
    assert store.find("push", pushed.key) == pushed
    store.fetch(pushed)
    assert len(requests) == 3, requests


def test_a_bucket_that_is_not_there_is_an_error(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"bucket|Bucket"):
        commit(RemoteStore(tmp_path, "s3://no-such-bucket/root"))
