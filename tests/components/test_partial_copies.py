"""Parts of copies: which files are fetched, when, and how often."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components import s3_requests
from components.component import ComponentError
from components.local_copies import DataCopy
from components.object_storage import RemoteFolder
from components.partial_copies import begin_part, bring_files
from tests.s3_server import S3

NAMES = ("0.tfrecord", "1.tfrecord", "2.tfrecord")


@pytest.fixture
def bucket(url: str) -> RemoteFolder:
    folder = RemoteFolder(f"{url}/data")
    for name in NAMES:
        folder.write(f"dataset/{name}", name.encode())
    folder.write("dataset/info.json", b"{}")
    return folder


@pytest.fixture
def fetched(s3: S3) -> Iterator[list[str]]:
    """The names of the objects whose bytes this process asks for."""
    names: list[str] = []
    events = s3_requests._client().meta.events

    def note(request: Any, **_: Any) -> None:
        if request.method == "GET" and "list-type" not in request.url:
            names.append(request.url.partition("?")[0].rpartition("/")[2])

    events.register("before-send.s3", note)
    yield names
    events.unregister("before-send.s3", note)


def begun(bucket: RemoteFolder, digest: str = "0" * 16) -> Path:
    """The folder of the large files."""
    large = [file for file in bucket.files() if file.name.endswith(".tfrecord")]
    small = [file for file in bucket.files() if file not in large]
    return begin_part(DataCopy(bucket.url, digest), small, large) / "dataset"


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("[!.]*")}


def test_a_large_file_is_fetched_when_it_is_asked_for_and_stays(bucket: RemoteFolder, fetched: list[str]) -> None:
    folder = begun(bucket)
    assert files_in(folder) == {"info.json"}
    bring_files(folder, NAMES[:2])
    bring_files(folder, NAMES[1:2])
    assert begun(bucket) == folder
    assert files_in(folder) == {"info.json", *NAMES[:2]}
    assert (folder / NAMES[1]).read_bytes() == NAMES[1].encode()
    assert sorted(fetched) == [*NAMES[:2], "info.json"]


def test_what_many_ask_for_at_once_is_fetched_once(bucket: RemoteFolder, fetched: list[str]) -> None:
    folder = begun(bucket)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bring_files(folder, NAMES), range(8)))
    assert files_in(folder) == {"info.json", *NAMES}
    assert sorted(fetched) == [*NAMES, "info.json"]


def test_what_another_copy_has_is_shared(bucket: RemoteFolder, fetched: list[str]) -> None:
    earlier = begun(bucket)
    bring_files(earlier, NAMES[:1])
    bucket.write(f"dataset/{NAMES[1]}", b"another")
    fetched.clear()
    later = begun(bucket, "1" * 16)
    bring_files(later, NAMES[:2])
    assert (later / NAMES[0]).samefile(earlier / NAMES[0])
    assert (later / NAMES[1]).read_bytes() == b"another"
    assert fetched == ["info.json", NAMES[1]]


def test_a_file_that_has_changed_is_refused_by_name(bucket: RemoteFolder) -> None:
    folder = begun(bucket)
    bucket.write(f"dataset/{NAMES[1]}", b"another")
    with pytest.raises(ComponentError, match=rf"{NAMES[1]} has changed since it was listed.* Run again once nobody"):
        bring_files(folder, NAMES[1:2])
    assert files_in(folder) == {"info.json"}


def test_a_file_that_the_storage_never_had_is_named(bucket: RemoteFolder) -> None:
    with pytest.raises(OSError, match=r"^s3://.*/data has no 3\.tfrecord, which is one of the files of the data"):
        bring_files(begun(bucket), ["3.tfrecord"])


def test_a_folder_that_is_no_part_is_left_alone(bucket: RemoteFolder, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(begun(bucket), whole, ignore=shutil.ignore_patterns(".*"))
    bring_files(whole, NAMES)
    assert files_in(whole) == {"info.json"}
