from __future__ import annotations

from pathlib import Path

from benchmarks.file_names import Looks, Measured, table, write_files


def test_files_are_written_once(tmp_path: Path) -> None:
    folder = write_files(tmp_path, 1500)
    files = sorted(folder.rglob("*.jpg"))
    assert [len(list(place.iterdir())) for place in sorted(folder.iterdir())] == [1000, 500]
    files[0].write_bytes(b"kept")
    write_files(tmp_path, 1500)
    assert sorted(folder.rglob("*.jpg")) == files
    assert files[0].read_bytes() == b"kept"


def test_a_round_sees_new_files_and_leaves_none(tmp_path: Path) -> None:
    rows = Looks(tmp_path, 20).round()
    assert {row.what for row in rows} >= {"the fingerprint", "--plan", "--plan, 10 new files"}
    assert all(row.files == 20 and row.seconds > 0 for row in rows)
    assert len(list(tmp_path.rglob("*.jpg"))) == 20


def test_several_looks_are_a_line_of_medians() -> None:
    rows = [Measured("--plan", 1000, seconds, 1.0, 2.0, 30.0 + seconds) for seconds in (3.0, 9.0, 2.0)]
    assert table(rows).splitlines()[2:] == ["| --plan | 1,000 | 3.00 | 2.00 | 1.00 | 2.00 | 39 |"]
