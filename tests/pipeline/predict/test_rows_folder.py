from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.errors import UsageError
from pipeline.predict.row import Row, failed, predicted
from pipeline.predict.rows_folder import RowsFolder, open_rows
from pipeline.predict.served import Prediction

DOCUMENT: dict[str, Any] = {"input": "/photos", "version": 2, "version_digest": "abc"}


def some_rows() -> list[Row]:
    likely = dict(zip("fabcde", (0.5, 0.2, 0.1, 0.1, 0.05, 0.05), strict=True))
    return [
        predicted("a,\"b'\n.jpg", 2, Prediction(likely, True)),
        predicted("caf\udce9.jpg", 2, Prediction({"cat": 1.0}, False)),
        failed("c.jpg", 2, "empty file"),
    ]


def test_rows_are_read_as_a_table(tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path))
    rows.claim(DOCUMENT)
    rows.write_names("1", ["caf\udce9.jpg"])
    rows.write("2", some_rows())
    assert (rows.has("1"), rows.has("2"), rows.done()) == (False, True, {"2"})
    table = pq.read_table(tmp_path)  # the other files are passed over
    first, second, third = table.to_pylist()
    assert first["file"] == "a,\"b'\n.jpg"
    assert (first["class"], first["probability"], first["confident"], first["version"]) == ("f", 0.5, True, 2)
    assert (first["next_classes"], first["error"]) == (["a", "b", "c", "d"], None)
    assert first["next_probabilities"] == pytest.approx([0.2, 0.1, 0.1, 0.05])
    assert (second["file"], second["class"], second["next_classes"]) == ("caf\\xe9.jpg", "cat", [])
    assert (third["class"], third["probability"], third["error"]) == (None, None, "empty file")
    assert rows.count_errors("2") == 1


@pytest.mark.parametrize("damaged", [b"", b'{"inp', b"[]", b"\xff"])
def test_a_damaged_document_is_refused(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "_predictions.json").write_bytes(damaged)
    with pytest.raises(UsageError, match=r"_predictions\.json in it is damaged.*Name a new folder"):
        RowsFolder(str(tmp_path)).claim(DOCUMENT)


def test_a_file_without_any_prediction_has_the_same_columns(tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path))
    rows.write("1", some_rows())
    rows.write("2", [failed("c.jpg", 2, "empty file")])
    assert pq.read_schema(tmp_path / "1.parquet").equals(pq.read_schema(tmp_path / "2.parquet"))


def test_damaged_rows_are_not_counted(tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path))
    rows.write("2", some_rows())
    whole = (tmp_path / "2.parquet").read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2]):
        (tmp_path / "2.parquet").write_bytes(damaged)
        assert rows.count_errors("2") is None
    assert rows.count_errors("3") is None


def test_names_of_any_bytes_reach_the_worker(tmp_path: Path) -> None:
    rows, names = RowsFolder(str(tmp_path)), ["a,\"\n'.jpg", "caf\udce9.jpg", "ü/ß.png"]
    rows.write_names("1", names)
    assert rows.read_names("1") == names
    rows.remove_names()
    with pytest.raises(Exception, match=r"_names/1\.json is gone: has something else worked there"):
        rows.read_names("1")


def test_a_folder_with_other_rows_is_refused(tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path / "rows"))
    rows.claim(DOCUMENT)
    rows.claim(DOCUMENT)
    with pytest.raises(UsageError, match=r"of version 2; these would be of version 3. .* go on with --version=2."):
        rows.claim(DOCUMENT | {"version": 3, "version_digest": "def"})
    with pytest.raises(UsageError, match=r"of version 2; these would be of another version 2. Name another folder."):
        rows.claim(DOCUMENT | {"version_digest": "def"})
    with pytest.raises(UsageError, match=r"for /photos; these would be for /others. Name another folder."):
        rows.claim(DOCUMENT | {"input": "/others"})


def test_of_two_commands_at_once_the_first_says_what_the_rows_are_of(tmp_path: Path) -> None:
    class Late(RowsFolder):
        def document(self) -> dict[str, Any] | None:
            there = super().document()
            if there is None:
                RowsFolder(self.place).claim(DOCUMENT)
            return there

    with pytest.raises(UsageError, match="of version 2; these would be of version 3"):
        Late(str(tmp_path)).claim(DOCUMENT | {"version": 3, "version_digest": "def"})
    assert RowsFolder(str(tmp_path)).document() == DOCUMENT


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UsageError, match=r"has files that are no predictions in it, such as notes.txt"):
        RowsFolder(str(tmp_path)).claim(DOCUMENT)


def test_rows_among_photos_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "rows" / "new"):
        with pytest.raises(UsageError, match="whose files are photos"):
            open_rows(str(place), str(tmp_path))
    with pytest.raises(UsageError, match="whose files are photos"):
        open_rows("s3://bucket/photos/rows", "s3://bucket/photos")
    assert open_rows("s3://bucket/photos-rows/", "s3://bucket/photos").place == "s3://bucket/photos-rows"
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"/file is a file. Expected a folder"):
        open_rows(str(tmp_path / "file" / "rows"), str(tmp_path / "photos"))
