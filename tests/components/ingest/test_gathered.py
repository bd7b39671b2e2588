from __future__ import annotations

from pathlib import Path

import pytest

from components.ingest.gathered import Gathered
from tests.components.ingest.spans import write_span


@pytest.fixture
def photos(tmp_path: Path) -> Gathered:
    photos = Gathered(2)
    photos.add(*write_span(tmp_path, 0, {"0/x": b"first", "1/x": None, "0/y": b"second"}, (7, 7, 8)))
    photos.add(*write_span(tmp_path, 1, {"1/z": None}))
    photos.add(*write_span(tmp_path, 2, {"1/y": b"third", "0/z": b"4th"}, (8, 0)))
    return photos


def test_only_what_was_read_has_a_place(photos: Gathered) -> None:
    layout = photos.layout(("a", "b"))
    assert [list(files) for files in layout.splits["train"]] == [["0/x", "0/y", "0/z"], ["1/y"]]
    assert photos.file_counts == {"train": [3, 3]}
    assert photos.shapes == {(2, 3)}
    assert photos.byte_count == len("firstsecondthird4th")
    assert photos.units() == [((0, "0/y"), (1, "1/y"))]
    assert list(photos.in_order(layout)["train"]) == [0, 1, 2, 3]


def test_numbers_and_spans(photos: Gathered) -> None:
    assert [list(photos.numbers_of(span)) for span in range(3)] == [[0, 1], [], [2, 3]]
    assert [photos.span_of(number) for number in range(4)] == [0, 0, 2, 2]
