from __future__ import annotations

from pathlib import Path

import pytest

from components.ingest import record_places
from components.ingest.record_places import RecordPlaces


def nowhere(record: int) -> None:
    """No file is anywhere else."""


@pytest.fixture
def places(tmp_path: Path) -> RecordPlaces:
    (tmp_path / "one").write_bytes(b"firstsecond")
    (tmp_path / "two").write_bytes(b"third")
    places = RecordPlaces()
    for name, start, length in (("one", 0, 5), ("one", 5, 6), ("two", 0, 5)):
        places.add(tmp_path / name, start, length)
    return places


def test_records_in_any_order(places: RecordPlaces) -> None:
    assert len(places) == 3
    assert list(places.read([2, 0, 1, 0], nowhere)) == [b"third", b"first", b"second", b"first"]


def test_few_files_are_open_at_once(places: RecordPlaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_places, "_MOST_OPEN", 1)
    assert list(places.read([2, 0, 2, 1], nowhere)) == [b"third", b"first", b"third", b"second"]


def test_records_that_are_cut_short_are_an_error(places: RecordPlaces, tmp_path: Path) -> None:
    (tmp_path / "two").write_bytes(b"thi")
    with pytest.raises(OSError, match="two is cut short"):
        list(places.read([2], nowhere))


def test_a_file_that_is_gone_is_looked_for_once(places: RecordPlaces, tmp_path: Path) -> None:
    (tmp_path / "two").unlink()
    (tmp_path / "three").write_bytes(b"..third")
    found = places.read([2], lambda record: places.move(record, tmp_path / "three", 2))
    assert list(found) == [b"third"]
    assert places.place_of(2) == (tmp_path / "three", 2, 5)
    (tmp_path / "three").unlink()
    with pytest.raises(FileNotFoundError):
        list(places.read([2], nowhere))
