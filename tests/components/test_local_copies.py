"""Which copies the clean-up may remove: those that no pipeline root uses, and not the last one of any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.local_copies import DataCopy, link_or_copy, local_copy, unused_copies

URL = "s3://bucket/photos"
NOW = float("inf")  # nobody has used one since


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))


def root(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name


def copy(state: int, *users: Path, used: int = 0) -> DataCopy:
    made = DataCopy(URL, f"{state:064d}"[::-1])
    made.making.mkdir(parents=True)
    (made.making / "1.png").write_bytes(b"12345")
    made.finish()
    for user in users:
        made.use(user)
    os.utime(made.folder.parent, (used, used))
    return made


def unused(root: Path, *needed: Path) -> list[Path]:
    return list(unused_copies(root, needed, NOW))


def test_the_last_copy_stays_and_older_ones_go(tmp_path: Path) -> None:
    ours = root(tmp_path, "ours")
    old, last = copy(1, ours, used=1), copy(2, ours, used=2)
    assert unused(ours) == [old.folder.parent]
    assert unused(ours, old.folder) == []
    assert list(unused_copies(ours, [], 1.0)) == []
    old.use(ours)
    assert unused(ours) == [last.folder.parent]


def test_what_another_root_uses_stays_as_long_as_that_root(tmp_path: Path) -> None:
    ours, theirs = root(tmp_path, "ours"), root(tmp_path, "theirs")
    shared = copy(1, ours, theirs, used=1)
    copy(2, ours, used=2)
    assert unused(ours) == []
    theirs.rmdir()
    assert unused(ours) == [shared.folder.parent]


def test_what_killed_processes_and_scans_have_left_goes(tmp_path: Path) -> None:
    made = copy(1, root(tmp_path, "ours"))
    made.set_aside()
    (damaged,) = made.folder.parents[1].glob("*.damaged-*")
    made.making.mkdir(parents=True)
    made.part.mkdir(parents=True)
    assert set(unused(root(tmp_path, "theirs"))) == {damaged, made.making.parent, made.part.parent}


def test_copies_of_roots_are_none(tmp_path: Path) -> None:
    kept = local_copy("s3://bucket/line")
    (kept / "ingest").mkdir(parents=True)
    assert unused(root(tmp_path, "ours")) == []


def test_a_disk_without_hard_links_has_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "one").write_bytes(b"12345")
    os.utime(tmp_path / "one", ns=(10**18, 10**18))
    link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b"12345"
    assert (tmp_path / "two").stat().st_mtime_ns == 10**18


def test_a_copy_that_another_process_has_finished_first_stays() -> None:
    made = copy(1)
    made.making.mkdir(parents=True)
    made.finish()
    assert (made.folder / "1.png").read_bytes() == b"12345"
    assert not made.making.exists()
