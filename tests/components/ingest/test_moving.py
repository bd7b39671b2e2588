"""Records on their way from the files of spans into those of a dataset, on which anything may happen to them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from components.ingest import span_file
from components.ingest.gathered import Gathered
from components.ingest.moving import Moving
from tests.components.ingest.spans import write_span

RECORDS = {"0/a": b"a", "0/b": b"bb", "0/x": None, "0/c": b"ccc"}, {"0/d": b"dddd", "0/e": b"eeeee"}
ALL = [b"a", b"bb", b"ccc", b"dddd", b"eeeee"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two spans."""
    (tmp_path / "spans").mkdir()
    for number, files in enumerate(RECORDS):
        write_span(tmp_path / "spans", number, files)
    return tmp_path / "spans"


def gather(folder: Path) -> Gathered:
    photos = Gathered(1)
    for number in range(len(RECORDS)):
        path = span_file.index_path(folder, number)
        photos.add(path, span_file.read(path))
    return photos


def store(moving: Moving, file: Path, numbers: list[int]) -> None:
    """A file of the dataset, with a byte before each record."""
    data, starts = b"", []
    for record in moving.read(numbers):
        starts.append(len(data) + 1)
        data += b"|" + record
    file.write_bytes(data)
    moving.stored(file, starts)


def own_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".span-*.records"))


def records(folder: Path) -> list[bytes]:
    """All records, where the indices say that they lie."""
    photos = gather(folder)
    return list(photos.places.read(range(len(photos)), lambda record: None))


def test_a_span_goes_once_all_of_it_is_stored(folder: Path, tmp_path: Path) -> None:
    moving = Moving(gather(folder))
    store(moving, tmp_path / "0", [0, 4, 1])
    assert own_files(folder) == [".span-0.records", ".span-1.records"]
    store(moving, tmp_path / "1", [2])
    assert own_files(folder) == [".span-1.records"]
    assert records(folder) == ALL
    store(moving, tmp_path / "2", [3])
    assert own_files(folder) == []
    assert records(folder) == ALL
    assert all(
        span_file.has_all_records(folder, span_file.read(span_file.index_path(folder, number))) for number in (0, 1)
    )


def test_the_next_attempt_takes_them_from_the_dataset(folder: Path, tmp_path: Path) -> None:
    """Also if it writes the same files anew, as an attempt at a scan does in the folder of the one before."""
    store(Moving(gather(folder)), tmp_path / "0", [0, 1, 2, 3, 4])
    (tmp_path / "0").unlink()
    moving = Moving(gather(folder))
    store(moving, tmp_path / "0", [4, 3])
    store(moving, tmp_path / "1", [2, 1, 0])
    assert (tmp_path / "0").read_bytes() == b"|eeeee|dddd"
    assert records(folder) == ALL
    assert len(list(folder.glob("*.records"))) == 2  # those of the first attempt are gone


def test_two_processes_at_once(folder: Path, tmp_path: Path) -> None:
    one, other = Moving(gather(folder)), Moving(gather(folder))
    store(one, tmp_path / "one 0", [0, 1])
    store(other, tmp_path / "other 0", [0, 1, 2, 3])
    store(one, tmp_path / "one 1", [2, 3, 4])
    store(other, tmp_path / "other 1", [4])
    assert (tmp_path / "one 1").read_bytes() == b"|ccc|dddd|eeeee"
    assert (tmp_path / "other 1").read_bytes() == b"|eeeee"
    assert records(folder) == ALL


def test_photos_that_another_process_has_read_anew_are_not_mixed_up(folder: Path) -> None:
    moving = Moving(gather(folder))
    (folder / ".span-1.records").unlink()
    write_span(folder, 1, {"0/d": b"other", "0/e": b"photo"})
    (folder / ".span-1.records").rename(folder / "elsewhere")
    with pytest.raises(OSError, match=r"have changed meanwhile\. Run again"):
        list(moving.read([3]))


def test_on_a_disk_without_links_all_stays(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    moving = Moving(gather(folder))
    store(moving, tmp_path / "0", [0, 1, 2])
    store(moving, tmp_path / "1", [3, 4])
    assert own_files(folder) == [".span-0.records", ".span-1.records"]
    assert records(folder) == ALL
