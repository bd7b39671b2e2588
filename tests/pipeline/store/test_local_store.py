from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.files import digest_file
from pipeline.store.folder_digest import digest_folder
from pipeline.store.local_store import Attempt, Store
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from tests.pipeline.toys import Numbers

IDENTITY = Identity(component="ingest", config={"count": 2}, code={}, libraries={}, inputs={}, fingerprint="")
MADE = BuildInfo(run_id="one", finished="2026-11-23T00:00:00", seconds=1.0, host="here", python="3", libraries={})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def work(store: Store, *values: int) -> tuple[Attempt, Numbers]:
    attempt = store.open_attempt(IDENTITY)
    return attempt, Numbers(folder=attempt.folder, values=values).write()


def commit(store: Store, *values: int, replace: bool = False) -> Manifest:
    return store.commit(IDENTITY, work(store, *values)[1], {}, MADE, replace=replace)


def test_nothing_is_found_until_it_is_committed(store: Store) -> None:
    work(store, 1)
    assert store.find("ingest", IDENTITY.key) is None


def test_what_was_committed_is_read_back(store: Store) -> None:
    manifest = commit(store, 1, 2)
    assert store.find("ingest", IDENTITY.key) == manifest
    numbers = store.load(manifest, Numbers)
    assert numbers.values == (1, 2)
    assert numbers.digest == manifest.digest


def test_a_digest_that_the_writer_tells_is_the_one_that_reading_finds(store: Store) -> None:
    _, numbers = work(store, 1, 2)
    file = numbers.folder / "numbers.json"
    told = store.commit(IDENTITY, numbers, {}, MADE, file_digests={file: digest_file(file)})
    assert told.digest == digest_folder(numbers.folder).digest


def test_a_document_can_be_read_alone(store: Store) -> None:
    manifest = commit(store, 1, 2)
    found = store.peek(manifest, Numbers)
    assert found is not None
    assert found.values == (1, 2)
    shutil.rmtree(store.root / manifest.folder)
    assert store.peek(manifest, Numbers) is None


def test_the_first_one_stays_and_the_second_gets_it(store: Store) -> None:
    first = commit(store, 1)
    _, late = work(store, 2)
    assert store.commit(IDENTITY, late, {}, MADE) == first
    assert store.find("ingest", IDENTITY.key) == first


def test_a_forced_one_takes_its_place(store: Store) -> None:
    first = commit(store, 1)
    second = commit(store, 2, replace=True)
    assert store.find("ingest", IDENTITY.key) == second != first


def test_an_artifact_whose_files_are_gone_is_no_hit_and_is_replaced(store: Store) -> None:
    first = commit(store, 1)
    shutil.rmtree(store.root / first.folder)
    assert store.find("ingest", IDENTITY.key) is None
    assert store.faults(first) == [f"gone: {store.root / first.folder}"]
    assert commit(store, 1).digest == first.digest
    assert store.find("ingest", IDENTITY.key) is not None


def test_a_truncated_manifest_is_no_hit_and_is_replaced(store: Store) -> None:
    commit(store, 1)
    path = store.root / "ingest" / IDENTITY.key / "manifest.json"
    path.write_text(path.read_text()[:100])
    assert store.find("ingest", IDENTITY.key) is None
    second = commit(store, 2)
    assert store.find("ingest", IDENTITY.key) == second


def test_the_root_can_be_moved(store: Store, tmp_path: Path) -> None:
    commit(store, 1, 2)
    shutil.move(tmp_path / "ingest", tmp_path / "elsewhere" / "ingest")
    moved = Store(tmp_path / "elsewhere")
    manifest = moved.find("ingest", IDENTITY.key)
    assert manifest is not None
    assert moved.load(manifest, Numbers).values == (1, 2)


def test_a_file_that_was_cut_short_is_a_miss_and_is_named(store: Store) -> None:
    first = commit(store, 1)
    document = store.root / first.folder / "numbers.json"
    size = document.stat().st_size
    document.write_bytes(document.read_bytes()[:-1])
    (fault,) = store.faults(first)
    assert fault == (
        f"damaged: {store.root / first.folder} has 1 files of {size - 1} bytes; 1 of {size} were committed"
    )
    assert store.find("ingest", IDENTITY.key) is None


def test_what_a_finder_or_a_log_adds_is_no_damage(store: Store) -> None:
    first = commit(store, 1)
    (store.root / first.folder / ".DS_Store").write_text("litter")
    assert store.find("ingest", IDENTITY.key) == first


def test_scratch_outlives_an_attempt_but_not_a_commit(store: Store) -> None:
    attempt, _ = work(store, 1)
    (attempt.scratch / "checkpoint").write_text("epoch 3")
    again, numbers = work(store, 1)
    assert (again.scratch / "checkpoint").read_text() == "epoch 3"
    store.commit(IDENTITY, numbers, {}, MADE)
    assert not again.scratch.exists()


def test_the_digest_covers_names_and_bytes_but_not_logs(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "a").write_text("1")
    one = digest_folder(tmp_path)
    (tmp_path / "logs" / "seconds").write_text("12")
    assert digest_folder(tmp_path) == one
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = digest_folder(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({one.digest, renamed.digest, digest_folder(tmp_path).digest}) == 3
    assert one.file_count == one.byte_count == 1


@pytest.mark.parametrize("change", [{"config": {"count": 3}}, {"code": {"f": "1"}}, {"inputs": {"x": "1"}}])
def test_the_key_depends_on_everything_that_decides_the_result(change: dict[str, object]) -> None:
    assert IDENTITY.model_copy(update=change).key != IDENTITY.key
