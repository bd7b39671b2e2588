from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.object_storage import RemoteFolder
from components.storage_requests import ObjectChangedError
from components.streamed_files import StreamedFiles, folder_of_process
from tests.components.many_files import watched

FAIL_EVERY = 19
SIZE, COUNT = 40_000, 12


def put(url: str, count: int = COUNT) -> RemoteFolder:
    remote = RemoteFolder(url)
    for number in range(count):
        remote.write(f"data/{number}", bytes([number]) * SIZE)
    return remote


@pytest.mark.parametrize(("max_bytes", "there"), [(SIZE, 1), (2 * SIZE, 2), (100 * SIZE, 3)])
def test_files_come_in_turn_and_no_more_are_there_than_the_bound_allows(
    any_url: str, tmp_path: Path, max_bytes: int, there: int
) -> None:
    remote = put(any_url)
    streamed = StreamedFiles(remote, remote.files(), tmp_path / "files", max_bytes)
    order = ["3", "1", "1", *map(str, range(COUNT))]
    with watched(tmp_path / "files") as watch:
        found = [path.read_bytes() for path in streamed.in_turn(order)]
    assert found == [bytes([int(name)]) * SIZE for name in order]
    assert watch.peak_bytes <= there * SIZE
    assert not list((tmp_path / "files").rglob("*"))


def test_several_readers_share_the_bound(url: str, tmp_path: Path) -> None:
    remote = put(url)
    streamed = StreamedFiles(remote, remote.files(), tmp_path / "files", 4 * SIZE)
    with watched(tmp_path / "files") as watch:
        readers = [streamed.in_turn([str(number) for number in range(start, COUNT, 2)], 2) for start in (0, 1)]
        assert [int(path.name) for pair in zip(*readers, strict=True) for path in pair] == list(range(COUNT))
    assert SIZE < watch.peak_bytes <= 4 * SIZE


def test_a_reader_that_ends_early_leaves_nothing(url: str, tmp_path: Path) -> None:
    remote = put(url)
    reader = StreamedFiles(remote, remote.files(), tmp_path / "files", 3 * SIZE).in_turn(list(map(str, range(COUNT))))
    assert next(reader).exists()
    reader.close()
    assert not list((tmp_path / "files").rglob("*"))


def test_once_it_is_closed_nothing_is_fetched_any_more(url: str, tmp_path: Path) -> None:
    remote, names = put(url), list(map(str, range(COUNT)))
    streamed = StreamedFiles(remote, remote.files(), tmp_path / "files", 6 * SIZE)
    begun = [streamed.in_turn(names, 2) for _ in range(2)]
    assert all(next(reader).exists() for reader in begun)
    streamed.close()
    shutil.rmtree(tmp_path / "files")
    for reader in [*begun, streamed.in_turn(names)]:
        with pytest.raises(OSError, match=r"no longer read|No such file"):
            next(reader)
    assert not (tmp_path / "files").exists()


def test_what_has_changed_since_it_was_listed_is_refused(url: str, tmp_path: Path) -> None:
    remote = put(url, 4)
    streamed = StreamedFiles(remote, remote.files(), tmp_path / "files", SIZE)
    remote.write("data/2", bytes([9]) * SIZE)
    reader = streamed.in_turn(["0", "1", "2", "3"])
    assert [int(next(reader).name) for _ in range(2)] == [0, 1]
    with pytest.raises(ObjectChangedError, match="data/2 has changed since it was listed"):
        next(reader)
    assert [type(failure) for failure in streamed.failures] == [ObjectChangedError]
    with pytest.raises(OSError, match="has no 7, which is one of the files of the data"):
        next(streamed.in_turn(["7"]))


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        with folder_of_process(tmp_path) as folder:
            assert (left / "file").exists()
        assert not folder.exists()
        other.kill()
        other.wait()
    assert (left / "file").exists()
    with folder_of_process(tmp_path) as folder:
        assert list(folder.parent.iterdir()) == [folder]


OTHER = """
import sys
from pathlib import Path
from components.streamed_files import folder_of_process

with folder_of_process(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    input()
"""
