"""Photos from elsewhere that people have labeled become training images, and change nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.corrections_file import FILE_NAME, UNDONE, Correction, append_corrections
from components.dataset_reader import FILE, read_with_features
from components.ingest import Ingest, IngestConfig
from components.ingest.split_names import ADDED
from tests.components.ingest import running

CLASSES = ("bird", "cat", "dog")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos of each class, and five without a label in the folder `inbox` beside them; no two alike."""
    for label, name in enumerate((*(f"photos/{name}" for name in CLASSES), "inbox")):
        (tmp_path / name).mkdir(parents=True)
        for number in range(5 if name == "inbox" else 12):
            Image.new("RGB", (8, 8), (20 * number, 60 * label, 9)).save(tmp_path / name / f"{number}.png")
    return tmp_path / "photos"


def decide(folder: Path, file: str, decision: str, label: str = "", why: str = "", sha256: str = "") -> None:
    sha256 = sha256 or hashlib.sha256((folder / file).read_bytes()).hexdigest()
    append_corrections(folder / FILE_NAME, [Correction(file, sha256, decision, label, why=why)])


def ingest(source: Path, workspace: Workspace, **values: Any) -> Examples:
    for path in (workspace.folder, workspace.scratch):  # so that a test may ingest twice
        if any(path.iterdir()):
            os.rename(path, path.with_name(f"{path.name}_{os.urandom(4).hex()}"))
            path.mkdir()
    return running.run(Ingest(IngestConfig(dataset=str(source), **values)), workspace)


def files(examples: Examples, split: str) -> dict[str, str]:
    """The class of each file of a split."""
    stored = read_with_features(examples, examples.splits[split], [FILE]).as_numpy_iterator()
    return {more[FILE].decode(): examples.class_names[int(label)] for _, label, more in stored}


@pytest.mark.parametrize("drawn", [True, False])
def test_they_are_trained_on_and_the_other_splits_stay(photos: Path, workspace: Workspace, drawn: bool) -> None:
    if drawn:  # copies must not be cut, so that the splits are drawn; otherwise slices make them
        (photos / "cat" / "copy.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    before = ingest(photos, workspace)
    without = {split: files(before, split) for split in before.splits}
    for number in range(4):
        decide(photos, f"../inbox/{number}.png", "add", "dog" if number % 2 else "cat")
    examples = ingest(photos, workspace)
    added = {f"../inbox/{number}.png": "dog" if number % 2 else "cat" for number in range(4)}
    assert {split: files(examples, split) for split in examples.splits} == {
        **without,
        "train": {**without["train"], **added},
    }
    assert examples.example_counts["train"] == before.example_counts["train"] + 4
    assert examples.corrections == {"add": 4}
    assert examples.summary()["corrections"] == 4


def test_given_slices_divide_the_others(photos: Path, workspace: Workspace) -> None:
    decide(photos, "../inbox/0.png", "add", "cat")
    slices = {"train": "train[:80%]", "test": "train[80%:]"}
    examples = ingest(photos, workspace, splits=slices)
    assert examples.splits == {"train": f"train[:80%]+{ADDED}", "test": "train[80%:]"}
    assert "../inbox/0.png" in files(examples, "train")
    assert examples.example_counts == {"train": 30, "test": 7}


def test_later_decisions_count(photos: Path, workspace: Workspace) -> None:
    for number in range(5):
        decide(photos, f"../inbox/{number}.png", "add", "dog")
    decide(photos, "../inbox/0.png", "leave_out", why=UNDONE)
    decide(photos, "../inbox/1.png", "label", "cat")  # as somebody has seen in a later run
    decide(photos, "../inbox/2.png", "leave_out")
    decide(photos, "../inbox/2.png", "add", "bird")
    decide(photos, "../inbox/3.png", "keep")
    found = files(ingest(photos, workspace), "train")
    assert {name: label for name, label in found.items() if name.startswith("..")} == {
        "../inbox/1.png": "cat",
        "../inbox/2.png": "bird",
        "../inbox/3.png": "dog",
        "../inbox/4.png": "dog",
    }


def test_a_photo_that_is_gone_or_has_changed_is_passed_over(photos: Path, workspace: Workspace) -> None:
    decide(photos, "../inbox/0.png", "add", "dog", sha256="0" * 64)
    decide(photos, "../inbox/1.png", "add", "dog")
    (photos.parent / "inbox" / "1.png").unlink()
    examples = ingest(photos, workspace)
    assert examples.corrections == {"passed_over": 2}
    assert ADDED not in examples.splits["train"]


def test_one_that_is_left_out_is_nowhere_and_no_warning(photos: Path, workspace: Workspace) -> None:
    decide(photos, "../inbox/0.png", "leave_out")
    examples = ingest(photos, workspace)
    assert (examples.corrections, examples.left_out_files) == ({}, {})


def test_a_photo_beside_the_manifest_that_it_does_not_name(photos: Path, workspace: Workspace) -> None:
    rows = [f"{name}/{number}.png,{name}" for name in CLASSES for number in range(11)]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows]))
    decide(photos, "cat/11.png", "label", "dog")  # of a photo that was taken out of the manifest since
    decide(photos, "dog/11.png", "add", "dog")
    examples = ingest(photos / "labels.csv", workspace)
    assert "dog/11.png" in files(examples, "train")
    assert sum(examples.example_counts.values()) == 34
    assert examples.corrections == {"add": 1, "passed_over": 1}


def test_a_photo_of_the_source_gets_another_label(photos: Path, workspace: Workspace) -> None:
    decide(photos, "cat/0.png", "add", "dog")
    examples = ingest(photos, workspace)
    assert sum(examples.example_counts.values()) == 36
    assert {
        label for split in examples.splits for file, label in files(examples, split).items() if file == "cat/0.png"
    } == {"dog"}


def test_a_file_that_is_no_photo_is_rejected_like_any_other(photos: Path, workspace: Workspace) -> None:
    (photos.parent / "inbox" / "0.png").write_bytes(b"no photo")
    decide(photos, "../inbox/0.png", "add", "dog")
    decide(photos, "../inbox/1.png", "add", "cat")
    examples = ingest(photos, workspace)
    assert examples.rejected_files == 1
    assert "../inbox/1.png" in files(examples, "train")


def test_a_label_that_is_no_class_is_refused(photos: Path, workspace: Workspace) -> None:
    decide(photos, "../inbox/0.png", "add", "dgo")
    with pytest.raises(
        ComponentError, match=r"line 2: 'dgo', the label of '\.\./inbox/0\.png', is no class; is 'dog' meant"
    ):
        ingest(photos, workspace)


def test_they_are_part_of_the_fingerprint(photos: Path, tmp_path: Path, workspace: Workspace) -> None:
    component = Ingest(IngestConfig(dataset=str(photos)))
    decide(photos, "../inbox/0.png", "add", "dog")
    seen = component.fingerprint(workspace.root, {})
    assert component.fingerprint(workspace.root, {}) == seen
    running.run(component, workspace)
    os.utime(tmp_path / "inbox" / "0.png", (1, 1))
    assert component.fingerprint(workspace.root, {}) == seen  # known by its bytes
    Image.new("RGB", (9, 9)).save(tmp_path / "inbox" / "0.png")
    assert component.fingerprint(workspace.root, {}) != seen
