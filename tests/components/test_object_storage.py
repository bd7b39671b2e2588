"""Both kinds of object storage, on servers that fail now and then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.object_storage import RemoteFolder
from components.storage_requests import CHUNK_BYTES, ObjectChangedError

FAIL_EVERY = 23


@pytest.fixture
def folder(any_url: str) -> RemoteFolder:
    return RemoteFolder(any_url)


def test_of_several_that_create_an_object_at_once_one_succeeds(folder: RemoteFolder) -> None:
    with ThreadPoolExecutor(6) as pool:
        created = list(pool.map(lambda number: folder.create("one", b"%d" % number), range(6)))
    assert created.count(True) == 1
    assert folder.read("one") == b"%d" % created.index(True)
    assert folder.create("one", b"%d" % created.index(True))
    assert not folder.create("one", b"other")


def test_of_several_that_change_an_object_at_once_nothing_is_lost(folder: RemoteFolder) -> None:
    def add(number: int) -> None:
        folder.update("lines", lambda data: data if b"<%d>" % number in data else data + b"<%d>" % number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(18)))
    lines = folder.read("lines")
    assert lines is not None
    assert sorted(lines.decode().strip("<>").split("><"), key=int) == [str(number) for number in range(18)]


def test_a_change_that_changes_nothing_writes_nothing(folder: RemoteFolder) -> None:
    folder.update("same", lambda data: data)
    assert folder.state("same") == (0, 0)
    folder.write("same", b"1")
    before = folder.state("same")
    folder.update("same", lambda data: data)
    assert folder.state("same") == before


def test_many_objects_of_odd_names_are_listed_in_order(folder: RemoteFolder) -> None:
    odd = ["/a", "a b+c%2F&d=?#.txt", "a//b", "tab\there", "ü/é.jpg", "z/" + "x" * 200]
    names = sorted([*odd, *(f"many/{number:03}" for number in range(115))])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: folder.write(name, name.encode()), names))
    assert [(file.name, file.size) for file in folder.files()] == [(name, len(name.encode())) for name in names]
    assert [folder.read(name) for name in odd] == [name.encode() for name in odd]
    folder.remove_files([*names[:60], "of nobody"])
    assert [file.name for file in folder.iter_files()] == names[60:]
    folder.remove("")
    assert folder.files() == []


def test_a_file_of_several_parts_comes_back_as_it_was(folder: RemoteFolder, tmp_path: Path) -> None:
    data = bytes(range(256)) * (2 * CHUNK_BYTES // 256) + b"the rest"
    for name, content in (("large.bin", data), ("empty.bin", b"")):
        (tmp_path / name).write_bytes(content)
    folder.upload(tmp_path, ["large.bin", "empty.bin"])
    listed = folder.files()
    folder.fetch(listed, tmp_path / "back")
    for file, content in zip(listed, (b"", data), strict=True):
        path = tmp_path / "back" / file.name
        assert path.read_bytes() == content
        assert path.stat().st_mtime_ns == file.modified_ns == folder.state(file.name)[1]


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_an_object_that_changes_after_it_was_listed_is_refused(
    folder: RemoteFolder, tmp_path: Path, change: str
) -> None:
    folder.write("a.txt", b"1")
    listed = folder.files()
    if change == "replaced":
        folder.write("a.txt", b"2")
        assert folder.files() != listed
    else:
        folder.remove_files(["a.txt"])
    with pytest.raises(ObjectChangedError, match=r"/root/a\.txt has changed since it was listed"):
        folder.fetch(listed, tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


def test_the_storage_tells_its_time(folder: RemoteFolder) -> None:
    assert abs(folder.seconds_now - time.time()) < 60


def test_a_bucket_is_there_or_not(any_url: str) -> None:
    RemoteFolder(any_url).require_existing_bucket()
    nowhere = RemoteFolder(f"{any_url.partition('://')[0]}://no-such-bucket/root")
    with pytest.raises(OSError, match=r"^there is no bucket no-such-bucket: make it, or check the name in the URL$"):
        nowhere.require_existing_bucket()
    assert nowhere.files() == []
    assert nowhere.read("a.txt") is None
    assert nowhere.state("a.txt") == (0, 0)
