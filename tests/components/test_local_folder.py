"""The folder on this machine, beside its model in object storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.local_folder import LocalFolder, folder_at
from components.object_storage import RemoteFolder, configure
from tests.s3_server import BUCKET, s3_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched, s3_server(0) as server:
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "")  # what `configure` sets is taken back at the end
        configure(server.options)
        yield f"s3://{BUCKET}/folder"


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> LocalFolder | RemoteFolder:
    return folder_at(str(tmp_path / "new") if request.param == "disk" else request.getfixturevalue("url"))


def test_both_kinds_of_folders_do_the_same(folder: LocalFolder | RemoteFolder) -> None:
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
    folder.remove_file("a.txt")
    assert [file.name for file in folder.files()] == ["b/c.txt"]


def test_what_is_half_written_is_not_listed(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.write("a.txt", b"1")
    (tmp_path / ".a.txt.1234").write_bytes(b"")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.txt").write_bytes(b"")
    assert [file.name for file in folder.files()] == ["a.txt"]
