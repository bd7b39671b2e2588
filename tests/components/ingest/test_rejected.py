from __future__ import annotations

from pathlib import Path

import pytest

from components.component import ComponentError
from components.ingest import rejected
from components.ingest.rejected import Rejected
from components.ingest.span_file import index_path

ONE, OTHER = (
    Rejected("a/1.jpg", "empty file"),
    Rejected(b"b/\xff.jpg".decode("utf-8", "surrogateescape"), "not an image"),
)


def test_notes_of_a_span_replace_its_earlier_ones(tmp_path: Path) -> None:
    rejected.note(index_path(tmp_path, 1), [OTHER])
    for _ in range(2):
        rejected.note(index_path(tmp_path, 0), [ONE])
    assert rejected.noted(tmp_path) == [ONE, OTHER]
    rejected.note(index_path(tmp_path, 1), [])
    assert rejected.noted(tmp_path) == [ONE]


def test_spans_with_rejected_files_are_forgotten(tmp_path: Path) -> None:
    for number in (0, 1):
        index_path(tmp_path, number).touch()
    rejected.note(index_path(tmp_path, 1), [ONE])
    rejected.forget(tmp_path)
    assert rejected.noted(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == [index_path(tmp_path, 0).name]


def test_the_refusal_names_some(tmp_path: Path) -> None:
    rejected.require_few([ONE], 20, 0.05, tmp_path)
    with pytest.raises(ComponentError) as refusal:
        rejected.require_few([ONE, OTHER], 20, 0.05, tmp_path)
    assert str(refusal.value) == (
        f"Of 20 files in {tmp_path}, 2 and perhaps more cannot be read; ingest.max_rejected_fraction allows 5.0%. For "
        r"example: a/1.jpg (empty file), b/\xff.jpg (not an image)"
    )
