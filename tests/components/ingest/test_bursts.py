"""Photos that one camera took within seconds, and what only looks like that."""

from __future__ import annotations

import logging
import shutil
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from components.component import Workspace
from components.ingest import Ingest, IngestConfig, Splits
from components.ingest.bursts import find_bursts
from components.ingest.photo_tree import Files
from tests.components.ingest.running import run
from tests.components.ingest.test_folder import stored_files

START = datetime(2026, 11, 27, 10)


def write(path: Path, seconds: float | None, camera: tuple[str, str] = ("Apple", "iPhone 15")) -> None:
    """A photo that differs from all others, taken so many seconds after the start; None: it does not say when."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = camera
    if seconds is not None:
        time = START + timedelta(seconds=seconds)
        exif.get_ifd(0x8769).update({0x9003: f"{time:%Y:%m:%d %H:%M:%S}", 0x9291: f"{time:%f}"})
    path.parent.mkdir(parents=True, exist_ok=True)
    red, green, blue, _ = zlib.crc32(f"{path.parent.name}/{path.name}".encode()).to_bytes(4, "big")
    Image.new("RGB", (16, 16), (red, green, blue)).save(path, exif=exif, comment=str(path.name))


def bursts(folder: Path, gap_seconds: float = 3) -> list[list[str]]:
    files = [Files.of(place.name, sorted(file.name for file in place.iterdir())) for place in sorted(folder.iterdir())]
    return [[file for _, file in burst] for burst in find_bursts(folder, files, gap_seconds)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """40 photos in two classes, an hour apart."""
    for label in "ab":
        for number in range(20):
            write(tmp_path / "photos" / label / f"{number:02}.jpg", 3600 * (2 * number + (label == "b")))
    return tmp_path / "photos"


def test_photos_an_hour_apart_are_no_burst(photos: Path) -> None:
    assert bursts(photos) == []


def test_photos_that_follow_each_other_are_a_burst(photos: Path) -> None:
    for name, seconds in {"a/x.jpg": 10.0, "b/y.jpg": 12.5, "a/z.jpg": 15.4, "a/later.jpg": 18.5}.items():
        write(photos / name, seconds)
    assert bursts(photos) == [["a/x.jpg", "b/y.jpg", "a/z.jpg"]]
    assert bursts(photos, gap_seconds=2.6) == [["a/x.jpg", "b/y.jpg"]]


def test_another_camera_is_another_burst(photos: Path) -> None:
    for number, camera in enumerate((("Apple", "iPhone 15"), ("Apple", "iPhone 16"), ("", ""))):
        for second in range(2):
            write(photos / "a" / f"{number} {second}.jpg", 100 + second, camera)
    assert sorted(bursts(photos)) == [["a/0 0.jpg", "a/0 1.jpg"], ["a/1 0.jpg", "a/1 1.jpg"]]


def test_other_files_are_in_none(photos: Path) -> None:
    write(photos / "a" / "x.jpg", 10)
    write(photos / "a" / "unknown.jpg", None)
    (photos / "a" / "damaged.jpg").write_bytes(b"no image")
    (photos / "a" / "empty.jpg").touch()
    Image.new("RGB", (8, 8)).save(photos / "a" / "drawing.png")
    (photos / "a" / "link.jpg").symlink_to("nowhere")
    assert bursts(photos) == []


@pytest.mark.parametrize("suffix", ["heic", "webp", "png"])
def test_photos_of_other_formats(photos: Path, suffix: str) -> None:
    write(photos / "a" / f"x.{suffix}", 10)
    write(photos / "a" / "y.jpg", 11)
    assert bursts(photos) == [[f"a/x.{suffix}", "a/y.jpg"]]


def test_what_a_scanner_stamps_is_no_burst(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for label in "ab":
        for number in range(10):
            write(tmp_path / label / f"{number}.jpg", 0)
    assert bursts(tmp_path) == []
    (warning,) = caplog.messages
    assert "one camera took 20 photos within 3 seconds of each other, from 2026-11-27 10:00:00 to" in warning
    assert "'a/0.jpg', 'a/1.jpg', 'a/2.jpg'" in warning


def test_a_whole_class_is_no_burst(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All of it would be in one split, and the model would never see it, or never be tested on it."""
    for label in "cd":
        for number in range(3):
            write(photos / label / f"{number}.jpg", 10**7 + 10**5 * ord(label) + number)
    assert bursts(photos) == []
    assert "; 1 more series are like that" in caplog.text


def test_pairs_are_bursts_in_small_folders(tmp_path: Path) -> None:
    for label in "ab":
        for number in range(5):
            write(tmp_path / label / f"{number}.jpg", 10**5 * ord(label) + 1000 * (number // 2) + number)
    assert len(bursts(tmp_path)) == 4


@pytest.fixture
def pairs(photos: Path) -> Path:
    """The photos, each of class a followed by another."""
    for number in range(20):
        write(photos / "a" / f"{number:02} again.jpg", 3600 * 2 * number + 1.5)
    return photos


def test_bursts_never_leak(workspace: Workspace, pairs: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shutil.copy(pairs / "b" / "00.jpg", pairs / "b" / "copy.jpg")
    examples = run(Ingest(IngestConfig(dataset=str(pairs))), workspace)
    split_of = stored_files(examples)
    assert set(split_of.values()) == {"train", "validation", "test"}
    assert all(split_of[f"a/{number:02}.jpg"] == split_of[f"a/{number:02} again.jpg"] for number in range(20))
    assert (examples.summary()["bursts"], examples.summary()["kept_together"]) == (20, 40 + 2)
    assert examples.drawn_splits == ("validation", "test")
    assert "Kept in one split each: 1 groups of copies, and 20 bursts of 40 photos in all" in caplog.messages


@pytest.mark.parametrize("burst_seconds", [0, None])
def test_nobody_looks_for_bursts_if_that_is_turned_off(
    workspace: Workspace, pairs: Path, burst_seconds: float | None
) -> None:
    examples = run(Ingest(IngestConfig(dataset=str(pairs), burst_seconds=burst_seconds)), workspace)
    assert examples.splits["test"] == "train[90%:]"
    assert "bursts" not in examples.summary()


def test_bursts_across_splits_that_the_source_gives_are_named(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place, name in enumerate(("train/a", "train/b", "test/a", "test/b"), 1):
        for number in range(20):
            write(tmp_path / "photos" / name / f"{place} {number}.jpg", 10**6 * place + 1000 * number)
    write(tmp_path / "photos" / "train" / "a" / "first.jpg", 500)
    write(tmp_path / "photos" / "test" / "a" / "second.jpg", 502)
    write(tmp_path / "photos" / "test" / "a" / "third.jpg", 504)
    write(tmp_path / "photos" / "test" / "b" / "fourth.jpg", 505)
    write(tmp_path / "photos" / "test" / "b" / "fifth.jpg", 900)
    write(tmp_path / "photos" / "test" / "b" / "sixth.jpg", 901)
    examples = run(Ingest(IngestConfig(dataset=str(tmp_path / "photos"))), workspace)
    assert (examples.bursts, examples.cut_bursts, examples.drawn_splits) == (0, 1, ("validation",))
    (warning,) = [message for message in caplog.messages if "lie in several splits" in message]
    assert "1 bursts lie in several splits" in warning
    assert "'train/a/first.jpg' (train) and 'test/a/second.jpg' (test)" in warning


def test_who_gives_splits_keeps_them(workspace: Workspace, pairs: Path) -> None:
    splits = Splits(train="train[:50%]", test="train[50%:]")
    examples = run(Ingest(IngestConfig(dataset=str(pairs), splits=splits)), workspace)
    assert (examples.bursts, examples.drawn_splits, examples.kept_together) == (0, (), 0)
