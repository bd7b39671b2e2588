from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.ingest import gathered
from components.ingest.gathered import Gathered
from components.ingest.span_file import REJECTED, SpanIndex, join_names


def index(folder: Path, name: str, files: dict[str, bytes | None], units: tuple[int, ...] = ()) -> SpanIndex:
    """A span of files, named `<label>/...`; None: it cannot be read."""
    (folder / name).write_bytes(b"".join(filter(None, files.values())))
    lengths = [REJECTED if record is None else len(record) for record in files.values()]
    return SpanIndex(
        records=name,
        split="train",
        names=join_names(files),
        labels=np.array([int(file[0]) for file in files]),
        units=np.array(units or [0] * len(files)),
        record_bytes=np.array(lengths),
        shapes=np.array([(2, 3)] * len(files)),
        states=np.zeros((len(files), 3), np.int64),
        sha256=np.zeros((len(files), 32), np.uint8),
    )


@pytest.fixture
def photos(tmp_path: Path) -> Gathered:
    photos = Gathered(2)
    photos.add(tmp_path, index(tmp_path, "one", {"0/x": b"first", "1/x": None, "0/y": b"second"}, (7, 7, 8)))
    photos.add(tmp_path, index(tmp_path, "two", {"1/y": b"third", "0/z": b"4th"}, (8, 0)))
    return photos


def test_only_what_was_read_has_a_place(photos: Gathered) -> None:
    layout = photos.layout(("a", "b"))
    assert [list(files) for files in layout.splits["train"]] == [["0/x", "0/y", "0/z"], ["1/y"]]
    assert photos.file_counts == {"train": [3, 2]}
    assert photos.shapes == {(2, 3)}
    assert photos.units() == [((0, "0/y"), (1, "1/y"))]
    order = photos.in_order(layout)["train"]
    assert list(photos.read(order)) == [b"first", b"second", b"third", b"4th"]


def test_few_files_are_open_at_once(photos: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "_MOST_OPEN", 1)
    assert list(photos.read([3, 0, 2, 1])) == [b"4th", b"first", b"third", b"second"]


def test_records_that_are_cut_short_are_an_error(photos: Gathered, tmp_path: Path) -> None:
    (tmp_path / "two").write_bytes(b"thi")
    with pytest.raises(OSError, match="two is cut short"):
        list(photos.read([2]))
