"""Copies, conflicts and groups: on which side of a split photos end that belong together."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest

from components.component import ComponentError, Workspace
from components.ingest import IngestConfig, Splits
from components.ingest.assignment import CONFLICT, draw_splits, find_layout, keep_together
from components.ingest.layout import Layout

SLICES = Splits(train="train[:50%]", test="train[50%:]")


def write(folder: Path, count: int, labels: str = "ab") -> Path:
    """Files that all differ."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{number:03}.jpg").write_text(f"{folder.name} {label} {number:03}")
    return folder


def assign(workspace: Workspace, source: Path, limit: float = 0.05, splits: Splits | None = None) -> Layout:
    config = IngestConfig(dataset=str(source), max_rejected_fraction=limit, splits=splits)
    layout, units = keep_together(config, workspace, source, find_layout(config, source))
    return draw_splits(config, source, layout, units)


def sides(layout: Layout) -> dict[str, str]:
    return {file: split for split, files in layout.splits.items() for file in chain.from_iterable(files)}


def test_without_copies_the_splits_stay(workspace: Workspace, tmp_path: Path) -> None:
    layout = assign(workspace, write(tmp_path / "photos", 20))
    assert layout.file_counts() == {"train": 40}


def test_copies_are_on_one_side(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", 50)
    for number in range(50):
        (folder / "a" / f"copy {number}.jpg").write_bytes((folder / "a" / f"{number:03}.jpg").read_bytes())
    layout = assign(workspace, folder)
    found = sides(layout)
    assert layout.file_counts() == {"train": 120, "validation": 15, "test": 15}
    assert all(found[f"a/{number:03}.jpg"] == found[f"a/copy {number}.jpg"] for number in range(50))
    assert layout.left_out == []


def test_refuses_photos_that_are_all_alike(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", 9)
    for file in folder.rglob("*.jpg"):
        file.write_text(file.parent.name)
    with pytest.raises(
        ComponentError, match=r"In .*photos, of 18 photos, too many belong together, as copies, groups or bursts"
    ):
        assign(workspace, folder)


def test_who_gives_splits_keeps_them(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", 10)
    (folder / "a" / "copy.jpg").write_bytes((folder / "a" / "001.jpg").read_bytes())
    assert assign(workspace, folder, splits=SLICES).file_counts() == {"train": 21}
    for split in ("train", "validation", "test"):
        write(tmp_path / "splits" / split, 10)
    (tmp_path / "splits" / "test" / "a" / "leak.jpg").write_text("train a 001")
    assert assign(workspace, tmp_path / "splits").file_counts() == {"train": 20, "validation": 20, "test": 21}


def test_what_is_missing_is_drawn_from_train(workspace: Workspace, tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / "splits" / split, 50)
    (tmp_path / "splits" / "train" / "a" / "copy.jpg").write_text("train a 001")
    layout = assign(workspace, tmp_path / "splits")
    assert layout.file_counts() == {"train": 97, "validation": 4, "test": 100}
    assert sides(layout)["train/a/copy.jpg"] == sides(layout)["train/a/001.jpg"]


def test_conflicting_copies_are_left_out_and_listed(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "photos", 50)
    for name in ("a/x.jpg", "a/y.jpg", "b/x.jpg"):
        (folder / name).write_text("the same")
    layout = assign(workspace, folder)
    assert layout.file_counts() == {"train": 100}
    assert layout.left_out == [(name, CONFLICT) for name in ("a/x.jpg", "a/y.jpg", "b/x.jpg")]
    assert "3 files are left out: the same pictures, byte for byte, lie under several labels" in caplog.text
    lines = (workspace.folder / "logs" / "conflicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(map(json.loads, lines)) == [{"files": {"a/x.jpg": "a", "a/y.jpg": "a", "b/x.jpg": "b"}}]


def test_refuses_too_many_conflicts(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", 9)
    for label in "ab":
        (folder / label / "x.jpg").write_text("the same")
    with pytest.raises(ComponentError) as refusal:
        assign(workspace, folder)
    assert str(refusal.value) == (
        f"In {folder}, the same pictures, byte for byte, lie under several labels: 'a/x.jpg' = 'b/x.jpg'. These are 2 "
        "of 20 files, and ingest.max_rejected_fraction allows 5.0%. Keep each picture under its right label"
    )
    assert (workspace.folder / "logs" / "conflicts.jsonl").exists()


def test_a_class_of_conflicts_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", 50)
    (folder / "c").mkdir()
    (folder / "c" / "x.jpg").write_text("photos a 001")
    with pytest.raises(
        ComponentError, match="all photos of class 'c' in split 'train' lie under another label as well"
    ):
        assign(workspace, folder)


def manifest(folder: Path, count: int) -> Path:
    """Photos in groups of four of each class."""
    write(folder, count)
    lines = [f"{label}/{number:03}.jpg,{label},g{number // 4}" for label in "ab" for number in range(count)]
    (folder / "labels.csv").write_text("\n".join(["file,label,group", *lines]))
    return folder / "labels.csv"


def test_groups_are_on_one_side_with_their_copies(workspace: Workspace, tmp_path: Path) -> None:
    source = manifest(tmp_path / "photos", 100)
    (tmp_path / "photos" / "a" / "000.jpg").write_text("photos a 099")
    layout = assign(workspace, source)
    found = sides(layout)
    assert layout.file_counts() == {"train": 152, "validation": 24, "test": 24}  # whole groups of eight
    for group in range(25):
        members = {found[f"{label}/{number:03}.jpg"] for label in "ab" for number in range(4 * group, 4 * group + 4)}
        assert len(members) == 1
    assert found["a/000.jpg"] == found["a/099.jpg"]
    assert found["b/003.jpg"] == found["b/096.jpg"]


def test_slices_that_cut_groups_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    source = manifest(tmp_path / "photos", 8)
    with pytest.raises(ComponentError, match=r"has a column group, and ingest.splits has the slice 'train\[:50%\]'"):
        assign(workspace, source, splits=SLICES)
