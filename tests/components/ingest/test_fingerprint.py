from __future__ import annotations

import os
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


@pytest.mark.parametrize("change", ["add", "remove", "rename", "grow", "touch"])
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
    else:
        os.utime(file, ns=(0, 10**18 + 1))
    assert listing_digest(folder) != before


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
