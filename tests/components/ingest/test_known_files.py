"""A source whose files have new times alone is the same source; any other change is one."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from components.component import Workspace
from components.ingest import Ingest, IngestConfig
from components.ingest.known_files import FOLDER, KnownFiles
from tests.components.ingest.running import run
from tests.components.ingest.test_folder import write_shades

LONG_AGO_NS = 10**18


def touch(source: Path, time_ns: int = LONG_AGO_NS + 1) -> None:
    for file in source.rglob("*.png"):
        os.utime(file, ns=(0, time_ns))


def table(root: Path) -> Path:
    (file,) = (root / FOLDER).iterdir()
    return file


@pytest.fixture
def photos(workspace: Workspace, tmp_path: Path) -> Path:
    """Photos that ingest has read, one of them under two labels, one damaged, and one in no folder of a class."""
    folder = write_shades(tmp_path / "photos", ("a", "b"), 20)
    shutil.copy(folder / "a" / "0.png", folder / "b" / "again.png")
    shutil.copy(folder / "a" / "0.png", folder / "loose.png")
    (folder / "b" / "damaged.png").write_bytes(b"no image")
    touch(folder, LONG_AGO_NS)
    run(ingest(folder), workspace)
    return folder


def ingest(source: Path) -> Ingest:
    return Ingest(IngestConfig(dataset=str(source), max_rejected_fraction=0.2))


def fingerprint(source: Path, root: Path) -> str | None:
    return ingest(source).fingerprint(root, {})


def test_touched_photos_are_the_same(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    before = fingerprint(photos, workspace.root)
    assert before == fingerprint(photos, tmp_path / "root without a table")
    touch(photos)
    assert fingerprint(photos, workspace.root) == before
    assert fingerprint(photos, tmp_path / "root without a table") != before


def test_touched_photos_are_read_once(workspace: Workspace, photos: Path) -> None:
    before = fingerprint(photos, workspace.root)
    touch(photos)
    fingerprint(photos, workspace.root)
    for file in photos.rglob("*.png"):
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    touch(photos)
    assert fingerprint(photos, workspace.root) == before


def test_photos_that_may_have_changed_within_one_time_are_read_again(workspace: Workspace, photos: Path) -> None:
    before = fingerprint(photos, workspace.root)
    now_ns = time.time_ns() + 10**11
    touch(photos, now_ns)
    assert fingerprint(photos, workspace.root) == before
    file = photos / "a" / "1.png"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    os.utime(file, ns=(0, now_ns))
    assert fingerprint(photos, workspace.root) != before


@pytest.mark.parametrize("name", ["a/1.png", "b/again.png", "b/damaged.png", "loose.png"])
def test_one_other_byte_is_a_change(workspace: Workspace, photos: Path, name: str) -> None:
    before = fingerprint(photos, workspace.root)
    file = photos / name
    old = file.read_bytes()
    file.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    touch(photos)
    changed = fingerprint(photos, workspace.root)
    assert changed != before
    assert changed == fingerprint(photos, workspace.root)
    file.write_bytes(old)
    touch(photos, LONG_AGO_NS + 2)
    assert fingerprint(photos, workspace.root) not in (before, changed)


def test_another_size_or_name_is_a_change(workspace: Workspace, photos: Path) -> None:
    before = fingerprint(photos, workspace.root)
    (photos / "a" / "1.png").rename(photos / "a" / "other.png")
    renamed = fingerprint(photos, workspace.root)
    (photos / "a" / "other.png").write_bytes(b"")
    touch(photos)
    assert len({before, renamed, fingerprint(photos, workspace.root)}) == 3


def test_the_next_ingest_keeps_the_times_that_count(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    """Otherwise the fingerprint under which it commits would not be found again."""
    touch(photos)
    shutil.copy(photos / "a" / "2.png", photos / "a" / "another.png")
    before = fingerprint(photos, workspace.root)
    again = dataclasses.replace(workspace, folder=tmp_path / "again")
    again.folder.mkdir()
    run(ingest(photos), again)
    assert fingerprint(photos, workspace.root) == before
    touch(photos, LONG_AGO_NS + 2)
    assert fingerprint(photos, workspace.root) == before
    files = sorted(file.relative_to(photos).as_posix() for file in photos.rglob("*.png"))
    assert sorted(json.loads(table(workspace.root).read_text())["files"]) == files


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 1, "files": []}',
        '{"version": 1, "files": {"a/1.png": 3}}',
        '{"version": 1, "files": {"a/1.png": [70, 0, 1]}}',
        '{"version": 1, "files": {"a/1.png": [70, 0, "1", "00"]}}',
        '{"version": 2, "files": {}}',
        '{"files": {}}',
    ],
)
def test_a_damaged_table_is_none(workspace: Workspace, photos: Path, tmp_path: Path, damage: str) -> None:
    touch(photos)
    table(workspace.root).write_text(damage)
    assert fingerprint(photos, workspace.root) == fingerprint(photos, tmp_path / "root without a table")
    assert table(workspace.root).read_text() == damage


def test_half_a_table_is_none(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    touch(photos)
    text = table(workspace.root).read_bytes()
    table(workspace.root).write_bytes(text[: len(text) // 2] + b"\xff")
    assert fingerprint(photos, workspace.root) == fingerprint(photos, tmp_path / "root without a table")


def test_a_table_that_cannot_be_written_is_no_failure(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / FOLDER).write_text("a file in its place")
    folder = write_shades(tmp_path / "photos", ("a", "b"), 10)
    run(ingest(folder), workspace)
    assert fingerprint(folder, workspace.root)


def test_a_manifest_knows_its_photos(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 10)
    touch(folder, LONG_AGO_NS)
    (tmp_path / "lists").mkdir()
    labels = tmp_path / "lists" / "labels.csv"
    labels.write_text("file,label\n" + "".join(f"../photos/{x}/{n}.png,{x}\n" for x in "ab" for n in range(10)))
    run(ingest(labels), workspace)
    before = fingerprint(labels, workspace.root)
    touch(folder)
    assert fingerprint(labels, workspace.root) == before
    (folder / "a" / "1.png").write_bytes((folder / "a" / "2.png").read_bytes())
    assert fingerprint(labels, workspace.root) != before


def test_names_that_are_no_text(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 10)
    (folder / "a" / "1.png").rename(os.path.join(folder, "a", os.fsdecode(b"\xff.png")))
    touch(folder, LONG_AGO_NS)
    run(ingest(folder), workspace)
    before = fingerprint(folder, workspace.root)
    touch(folder)
    assert fingerprint(folder, workspace.root) == before


def test_what_would_take_too_long_counts_as_changed(tmp_path: Path) -> None:
    """A file of holes, of which nothing is read."""
    large, small = tmp_path / "large", tmp_path / "small"
    for file, size in ((large, (1 << 30) + 1), (small, 5)):
        with file.open("wb") as opened:
            opened.truncate(size)
        os.utime(file, ns=(0, LONG_AGO_NS))
    statuses = {file: file.stat() for file in (large, small)}
    known = KnownFiles(tmp_path / "root", tmp_path)
    for file in (large, small):
        known.read(file.name, str(file), statuses[file])
    known.replace()
    assert list(json.loads(table(tmp_path / "root").read_text())["files"]) == ["small"]


def test_a_file_that_changes_while_it_is_read_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"before")
    status = (tmp_path / "photo").stat()
    (tmp_path / "photo").write_bytes(b"after.")
    os.utime(tmp_path / "photo", ns=(0, LONG_AGO_NS))
    known = KnownFiles(tmp_path / "root", tmp_path)
    known.read("photo", str(tmp_path / "photo"), status)
    known.update()
    assert not (tmp_path / "root").exists()
