"""A folder of images as a user has it, through the whole component."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.dataset_reader import example_name, read
from components.ingest import Ingest, IngestConfig, Splits
from pipeline.store.folder_digest import digest_folder
from tests.components.ingest import odd_images

THIRDS = Splits(train="train[:50%]", validation="train[50%:75%]", test="train[75%:]")


def write_colours(folder: Path, images_per_class: int, size: tuple[int, int] = (8, 6)) -> Path:
    """Classes `blue` and `red`, width 8 and height 6."""
    for name, colour in {"red": (200, 0, 0), "blue": (0, 0, 200)}.items():
        (folder / name).mkdir(parents=True)
        for index in range(images_per_class):
            Image.new("RGB", size, colour).save(folder / name / f"{index}.png")
    return folder


def ingest(workspace: Workspace, folder: Path, limit: float = 0.05, splits: Splits = THIRDS) -> Examples:
    config = IngestConfig(dataset=str(folder), splits=splits, max_rejected_fraction=limit)
    return Ingest(config).run(workspace)


def test_an_example_is_known_by_its_file(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 6)
    examples = ingest(workspace, folder)
    names = [example_name(examples, split, i) for split, count in examples.example_counts.items() for i in range(count)]
    assert sorted(names) == sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))


def test_a_folder_becomes_examples(workspace: Workspace, tmp_path: Path) -> None:
    examples = ingest(workspace, write_colours(tmp_path / "My Colours 2", 20))
    assert examples == Examples.read(workspace.folder)
    assert examples.dataset == "my_colours_2/1.0.0"
    assert examples.class_names == ("blue", "red")
    assert examples.example_counts == {"train": 20, "validation": 10, "test": 10}
    assert examples.image_shape == (6, 8, 3)
    assert examples.rejected_files == 0
    assert not (workspace.folder / "logs" / "rejected.jsonl").exists()
    for split, count in examples.example_counts.items():
        stored = list(read(examples, examples.splits[split]).as_numpy_iterator())
        assert [label for _, label in stored] == [0, 1] * (count // 2)
        for image, label in stored:
            assert (image == ((0, 0, 200), (200, 0, 0))[label]).all()


def test_twice_is_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 5)
    again = dataclasses.replace(workspace, folder=tmp_path / "again")
    again.folder.mkdir()
    ingest(workspace, folder)
    ingest(again, folder)
    one, other = (
        {file.name: file.read_bytes() for file in place.rglob("*.*")} for place in (workspace.folder, again.folder)
    )
    assert one == other


def test_reads_what_can_be_read_and_lists_the_rest(workspace: Workspace, tmp_path: Path) -> None:
    readable = odd_images.COLOUR | odd_images.FEW_COLOURS | odd_images.GREY | odd_images.WHITE_LEFT
    for label in ("odd", "even"):
        (tmp_path / "odd" / label).mkdir(parents=True)
        for name, write in readable.items():
            write(tmp_path / "odd" / label / name)
    for name, (write, _) in odd_images.UNREADABLE.items():
        write(tmp_path / "odd" / "odd" / name)
    (tmp_path / "odd" / "even" / ".hidden").touch()

    examples = ingest(workspace, tmp_path / "odd", limit=0.2)

    assert sum(examples.example_counts.values()) == 2 * len(readable)
    assert examples.image_shape == (odd_images.HEIGHT, odd_images.WIDTH, 3)
    assert all(len(list(read(examples, slice_))) for slice_ in examples.splits.values())
    rejected = {
        line["file"]: line["reason"]
        for line in map(json.loads, (workspace.folder / "logs" / "rejected.jsonl").read_text().splitlines())
    }
    assert set(rejected) == {"even/.hidden"} | {f"odd/{name}" for name in odd_images.UNREADABLE}
    assert rejected["odd/empty.jpg"] == "empty file"
    assert examples.rejected_files == len(rejected)


def test_litter_and_rejected_files_do_not_change_what_is_made(workspace: Workspace, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(tmp_path / "photos" / label / f"{number}.png")
    ingest(workspace, tmp_path / "photos", limit=0.5)
    before = digest_folder(workspace.folder)
    (tmp_path / "photos" / ".DS_Store").write_bytes(b"litter")
    (tmp_path / "photos" / "a" / "notes.txt").write_bytes(b"no image")
    shutil.rmtree(workspace.folder)
    workspace.folder.mkdir()
    assert ingest(workspace, tmp_path / "photos", limit=0.5).rejected_files == 2
    assert digest_folder(workspace.folder) == before


def test_fails_beyond_the_fraction_and_names_some(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 9)
    for name in ("x", "y"):
        (folder / "red" / f"{name}.jpg").write_text("no image")
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, folder, limit=0.05)
    assert f"Of 20 files in {folder}, 2 and perhaps more cannot be read" in str(refusal.value)
    assert "ingest.max_rejected_fraction allows 5.0%" in str(refusal.value)
    assert "red/x.jpg (not an image)" in str(refusal.value)
    assert "red/y.jpg (not an image)" in str(refusal.value)


def test_a_class_without_readable_images_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 9)
    (folder / "green").mkdir()
    (folder / "green" / "1.jpg").write_text("no image")
    with pytest.raises(ComponentError, match="no image in the class folder 'green' can be read"):
        ingest(workspace, folder, limit=0.5)


def test_splits_of_the_folder_are_splits_of_the_dataset(workspace: Workspace, tmp_path: Path) -> None:
    write_colours(tmp_path / "data" / "train", 10)
    write_colours(tmp_path / "data" / "test", 3, size=(5, 5))
    examples = ingest(workspace, tmp_path / "data", splits=Splits(train="train", test="test"))
    assert examples.example_counts == {"train": 20, "test": 6}
    assert examples.image_shape == (None, None, 3)


def test_splits_are_checked_before_any_image_is_read(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 10)
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, folder, splits=Splits(train="train", test="test"))
    assert str(refusal.value) == (
        "ingest.splits.test is 'test': Unknown split 'test'. Should be one of ['train']. colours has train "
        '(20 examples); slices such as "train[:80%]", "train[80%:90%]", "train[90%:]" divide it'
    )
    assert not list(workspace.folder.iterdir())


def test_reports_progress(workspace: Workspace, tmp_path: Path) -> None:
    reports: list[tuple[float, float, str]] = []
    workspace = dataclasses.replace(workspace, report=lambda *report: reports.append(report))
    ingest(workspace, write_colours(tmp_path / "colours", 4))
    assert [report for report in reports if report[2] == "files read"] == [(n, 8, "files read") for n in range(1, 9)]


def test_names_each_example_after_its_file(workspace: Workspace, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    examples = ingest(workspace, write_colours(tmp_path / "colours", 3))
    stored = tfds.builder_from_directory(examples.prepared_directory).as_dataset(split="train")
    files = [example["file"].decode() for example in tfds.as_numpy(stored)]
    assert sorted(files) == [f"{label}/{index}.png" for label in ("blue", "red") for index in range(3)]
    assert np.array_equal([file.split("/")[0] for file in files], ["blue", "red"] * 3)
