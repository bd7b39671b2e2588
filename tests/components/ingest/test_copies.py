from __future__ import annotations

from pathlib import Path

from components.ingest.copies import find_copies


def find(folder: Path, files: dict[str, bytes]) -> list[tuple[str, ...]]:
    names = list(files)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [tuple(names[index] for index in group) for group in find_copies(folder, lambda: names)]


def test_files_with_the_same_bytes(tmp_path: Path) -> None:
    assert find(tmp_path, {"a": b"1", "b": b"2", "c": b"1", "d": b"11", "e": b"2", "f": b"1"}) == [
        ("a", "c", "f"),
        ("b", "e"),
    ]


def test_large_files_that_differ_anywhere_are_no_copies(tmp_path: Path) -> None:
    large = bytes(3 << 20)
    files = {"a": large, "first": b"1" + large[1:], "last": large[1:] + b"1", "again": large, "longer": large + b"1"}
    assert find(tmp_path, files) == [("a", "again")]


def test_what_cannot_be_read_has_no_copies(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "nothing").touch()
    names = ["link", "folder", "empty", "nothing", "not there"]
    assert find_copies(tmp_path, lambda: names) == []
    assert find_copies(tmp_path, list) == []


def test_many_files_and_progress(tmp_path: Path) -> None:
    reports: list[tuple[float, float, str]] = []
    names = [f"{number:04}" for number in range(3000)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes((number // 2).to_bytes(2, "big"))
    copies = find_copies(tmp_path, lambda: names, lambda *report: reports.append(report))
    assert copies == [(number, number + 1) for number in range(0, 3000, 2)]
    assert reports[-1] == (3000, 3000, "files compared")
