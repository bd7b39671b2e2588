from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.predict.least_sure import folder_of, least_sure, rows_at
from pipeline.predict.row import failed, predicted
from pipeline.predict.rows_folder import RowsFolder
from pipeline.predict.served import Prediction


def made(folder: Path, source: str = "/photos") -> RowsFolder:
    """Four photos in two shards; one of them could not be read."""
    rows = RowsFolder(str(folder))
    rows.claim({"input": source, "version": 1, "version_digest": "abc"})
    first, second, third = (
        predicted(file, 1, Prediction({"cat": probability, "dog": 1 - probability}, False))
        for file, probability in (("a.jpg", 0.9), ("b/caf\udce9.jpg", 0.5), ("c.jpg", 0.7))
    )
    rows.write("1", [first, second])
    rows.write("2", [third, failed("d.jpg", 1, "empty file")])
    return rows


def test_the_least_sure_come_first(tmp_path: Path) -> None:
    rows = made(tmp_path)
    assert least_sure(rows, 10, lambda file: True) == ["b/caf\\xe9.jpg", "c.jpg", "a.jpg"]
    assert least_sure(rows, 1, lambda file: not file.startswith("b/")) == ["c.jpg"]


def test_a_folder_of_rows_is_known_by_its_document(tmp_path: Path) -> None:
    made(tmp_path / "rows")
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").touch()
    assert rows_at(str(tmp_path / "rows"), "--unlabeled") == RowsFolder(str(tmp_path / "rows"))
    for other in ("photos", "file", "nowhere"):
        assert rows_at(str(tmp_path / other), "--unlabeled") is None
    (tmp_path / "rows" / "_predictions.json").write_bytes(b"{")
    with pytest.raises(UsageError, match=r"_predictions\.json in it is damaged"):
        rows_at(str(tmp_path / "rows"), "--unlabeled")


def test_photos_that_are_no_files_here_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert folder_of(made(tmp_path / "1", str(tmp_path / "photos"))) == tmp_path / "photos"
    (tmp_path / "photos" / "dataset_info.json").write_text("{}")
    for number, place in enumerate((str(tmp_path / "photos"), "s3://bucket/photos", str(tmp_path / "gone")), 2):
        with pytest.raises(UsageError, match=f"in {place}, which is no folder of photos on this machine. Copy those"):
            folder_of(made(tmp_path / str(number), place))


def test_damaged_rows_are_said(tmp_path: Path) -> None:
    rows = made(tmp_path)
    (tmp_path / "2.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"2\.parquet is damaged: .* Start the command that made the rows again"):
        least_sure(rows, 10, lambda file: True)
