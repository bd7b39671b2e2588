"""The folder on this machine, beside its model in object storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.local_folder import LocalFolder, folder_at
from components.object_storage import RemoteFolder
from tests.s3_server import BUCKET


@pytest.fixture(params=["disk", "s3", "gs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> LocalFolder | RemoteFolder:
    if request.param == "disk":
        return folder_at(str(tmp_path / "new"))
    request.getfixturevalue(request.param)
    return folder_at(f"{request.param}://{BUCKET}/folder")


def test_all_kinds_of_folders_do_the_same(folder: LocalFolder | RemoteFolder) -> None:
    assert folder.files() == []
    assert folder.read("a.txt") is None
    assert folder.state("a.txt") == (0, 0)
    folder.write("b/c.txt", b"12345")
    folder.write("a.txt", b"1")
    folder.write("a.txt", b"12")
    assert [(file.name, file.size) for file in folder.files()] == [("a.txt", 2), ("b/c.txt", 5)]
    assert [file.name for file in folder.files("b")] == ["b/c.txt"]
    assert folder.read("a.txt") == b"12"
    assert folder.state("a.txt")[0] == 2
    assert folder.create("d.txt", b"1")
    assert folder.create("d.txt", b"1")
    assert not folder.create("d.txt", b"2")
    assert folder.read("d.txt") == b"1"
    folder.remove_files(["a.txt", "d.txt", "gone.txt"])
    assert [file.name for file in folder.files()] == [file.name for file in folder.iter_files()] == ["b/c.txt"]


def test_what_is_half_written_is_not_listed(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.write("a.txt", b"1")
    (tmp_path / ".a.txt.1234").write_bytes(b"")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.txt").write_bytes(b"")
    assert [file.name for file in folder.files()] == ["a.txt"]
