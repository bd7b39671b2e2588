from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.files import digest_file
from components.ingest.fingerprint import content_digest, listing_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"12345")
        os.utime(tmp_path / "data" / name, ns=(0, 10**18))
    return tmp_path / "data"


def test_the_same_folder_elsewhere_has_the_same_digests(folder: Path) -> None:
    before = listing_digest(folder), content_digest(folder)
    moved = folder.rename(folder.with_name("moved"))
    assert (listing_digest(moved), content_digest(moved)) == before


@pytest.mark.parametrize(
    "change", ["add", "remove", "rename", "grow", "touch", "write in place", "set back", "replace"]
)
def test_any_change_shows_in_the_listing(folder: Path, change: str) -> None:
    before = listing_digest(folder)
    file = folder / "a" / "1.png"
    if change == "add":
        (folder / "b" / "2.png").touch()
    elif change == "remove":
        file.unlink()
    elif change == "rename":
        file.rename(folder / "b" / "3.png")
    elif change == "grow":
        file.write_bytes(b"123456")
        os.utime(file, ns=(0, 10**18))
    elif change == "write in place":
        file.write_bytes(b"54321")
        os.utime(file.parent, ns=(0, 10**18))
    elif change == "set back":
        os.utime(file, ns=(0, 10**18 - 1))
    elif change == "replace":  # by a folder of the same time, with a file of the same name
        replace_folder(folder / "a")
    else:
        os.utime(file, ns=(0, 10**18 + 1))
    assert listing_digest(folder) != before


def replace_folder(folder: Path) -> None:
    status = folder.stat()
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(b"abcde")
        os.utime(folder / name, ns=(0, 10**18 + 5))
    shutil.rmtree(folder.with_name("old"))
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_many_folders_are_looked_at_by_several_processes_as_by_one(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}" / "inner").mkdir(parents=True)
        (tmp_path / f"{number}" / "inner" / f"{number}.png").touch()
    (tmp_path / "21").mkdir()
    program = (
        "import os, sys; from pathlib import Path; from components.ingest.fingerprint import listing_digest\n"
        "print(listing_digest(Path(sys.argv[1])))\n"
        "if sys.platform == 'linux': os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n"
        "print(listing_digest(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    printed = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True).stdout
    assert len(set(printed.split())) == 1 == len({*printed.split(), listing_digest(tmp_path)})


def test_the_time_of_a_folder_is_no_change(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / "a" / "3.png").touch()
    (folder / "a" / "3.png").unlink()
    assert listing_digest(folder) == before


def test_a_file_counts_where_it_lies(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / "a" / "2.png").rename(folder / "b" / "2.png")
    assert listing_digest(folder) != before


def test_names_of_any_bytes_count(folder: Path) -> None:
    seen = {listing_digest(folder)}
    for name in (b"a/\xff.png", b"a/\xfe.png", b"a/new\nline.png", "a/ü.png".encode(), b"a/3.PNG", b"a/no_suffix"):
        open(os.path.join(os.fsencode(folder), name), "wb").close()
        seen.add(listing_digest(folder))
    assert len(seen) == 7


def test_the_time_that_counts_may_be_another(folder: Path) -> None:
    plain, seen = listing_digest(folder), []

    def counted_ns(name: str, path: str, status: os.stat_result) -> int:
        seen.append((name, path))
        return status.st_mtime_ns

    assert listing_digest(folder, counted_ns) == plain
    assert seen == [(name, str(folder / name)) for name in ("a/1.png", "a/2.png", "b/1.png")]
    assert listing_digest(folder, lambda *_: 10**18 + 1) != plain


@pytest.mark.parametrize("name", ["a/1.AAE", "a/1.MOV", "a/1.png.json", "notes.txt"])
def test_what_lies_beside_photos_is_no_change(folder: Path, name: str) -> None:
    before = listing_digest(folder)
    (folder / name).write_bytes(b"beside")
    assert listing_digest(folder) == before


def test_a_prepared_dataset_is_all_of_its_files(folder: Path) -> None:
    (folder / "dataset_info.json").write_bytes(b"{}")
    before = listing_digest(folder)
    (folder / "features.json").write_bytes(b"{}")
    assert listing_digest(folder) != before


def test_a_hidden_class_counts(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / ".22").mkdir()
    (folder / ".22" / "1.png").touch()
    assert listing_digest(folder) != before


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "@eaDir/1.png", "a/.hidden", "$RECYCLE.BIN/1.png"])
def test_litter_is_no_change(folder: Path, name: str) -> None:
    before, content = listing_digest(folder), content_digest(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"litter")
    assert (listing_digest(folder), content_digest(folder)) == (before, content)


def test_content_is_names_and_bytes_and_no_times(folder: Path) -> None:
    before = content_digest(folder)
    os.utime(folder / "a" / "1.png", ns=(0, 0))
    assert content_digest(folder) == before
    (folder / "a" / "1.png").write_bytes(b"54321")
    assert content_digest(folder) != before


def test_links_are_followed_but_not_in_circles(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / "a" / "round").symlink_to(folder)
    (folder / "b" / "itself").symlink_to("itself")
    (folder / "b" / "nowhere").symlink_to("not there")
    after = listing_digest(folder)
    assert before != after == listing_digest(folder)


def test_reports_the_megabytes_read(folder: Path) -> None:
    reports: list[tuple[float, float, str]] = []
    content_digest(folder, lambda *report: reports.append(report))
    assert reports == [(megabytes, 15e-6, "MB checked") for megabytes in (5e-6, 10e-6, 15e-6)]


def test_what_its_writer_has_hashed_is_not_read(folder: Path) -> None:
    reports: list[tuple[float, float, str]] = []
    known = {folder / "a" / "1.png": digest_file(folder / "a" / "1.png")}
    digest = content_digest(folder, lambda *report: reports.append(report), known)
    assert digest == content_digest(folder)
    assert reports == [(megabytes, 10e-6, "MB checked") for megabytes in (5e-6, 10e-6)]
