"""What people decide about photos reaches the next run, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.corrections_file import FILE_NAME, UNDONE, Correction, append_corrections
from components.dataset_reader import read
from components.ingest import Ingest, IngestConfig
from components.ingest.assignment import find_layout
from components.ingest.corrections import LEFT_OUT, apply_corrections, find_corrections
from components.ingest.layout import Layout
from components.ingest.photo_tree import printable
from pipeline.store.folder_digest import digest_folder
from tests.components.ingest import running

CLASSES = ("bird", "cat", "dog")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos of each class, no two alike."""
    for label, name in enumerate(CLASSES):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (8, 8), (20 * number, 80 * label, 9)).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def decide(folder: Path, file: str, decision: str, value: str = "", sha256: str = "") -> None:
    """Appends a decision; `value` is the label or the other photo."""
    if not sha256:
        sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    words = {"label": value} if decision == "label" else {"other": value}
    append_corrections(folder / FILE_NAME, [Correction(printable(file), sha256, decision, **words)])


def corrected(source: Path) -> Layout:
    layout = find_layout(IngestConfig(dataset=str(source)), source)
    return apply_corrections(layout, source, find_corrections(source, None))


def files(layout: Layout, label: str, split: str = "train") -> set[str]:
    return set(layout.splits[split][layout.class_names.index(label)])


def ingest(source: Path, workspace: Workspace, **values: Any) -> Examples:
    return running.run(Ingest(IngestConfig(dataset=str(source), **values)), workspace)


def test_a_decision_that_was_taken_back_is_not_counted(photos: Path) -> None:
    lines = [("cat/0.png", "label", "dog", ""), ("cat/0.png", "keep", "", UNDONE), ("cat/1.png", "keep", "", "")]
    for file, decision, label, why in lines:
        sha256 = hashlib.sha256((photos / file).read_bytes()).hexdigest()
        append_corrections(photos / FILE_NAME, [Correction(file, sha256, decision, label, why=why)])
    assert corrected(photos).corrections == {"keep": 1}


def test_photos_get_other_labels_and_are_left_out(photos: Path, workspace: Workspace) -> None:
    decide(photos, "cat/0.png", "label", "dog")
    decide(photos, "cat/1.png", "leave_out")
    decide(photos, "cat/2.png", "keep")
    decide(photos, "bird/3.png", "same", "bird/4.png")
    layout = corrected(photos)
    assert files(layout, "cat") == {f"cat/{number}.png" for number in range(2, 12)}
    assert files(layout, "dog") == {"cat/0.png"} | {f"dog/{number}.png" for number in range(12)}
    assert layout.left_out == [("cat/1.png", LEFT_OUT)]
    assert len({layout.groups[name] for name in ("bird/3.png", "bird/4.png")}) == 1

    examples = ingest(photos, workspace)
    assert examples.corrections == {"keep": 1, "label": 1, "leave_out": 1, "same": 1}
    assert examples.left_out_files == {LEFT_OUT: 1}
    assert examples.summary()["corrections"] == 4
    assert sum(examples.example_counts.values()) == 35
    assert (examples.source, examples.corrections_file) == (str(photos), str(photos / FILE_NAME))
    assert Examples.read(workspace.folder).corrections == examples.corrections
    labels = {
        tuple(image[0, 0].tolist()): int(label)
        for slice_ in examples.splits.values()
        for image, label in read(examples, slice_).as_numpy_iterator()
    }
    assert labels[0, 80, 9] == CLASSES.index("dog")
    assert (20, 80, 9) not in labels


def test_the_order_is_that_of_a_class_that_always_had_the_photo(photos: Path) -> None:
    decide(photos, "cat/0.png", "label", "dog")
    decide(photos, "cat/0.png", "label", "cat")
    untouched = find_layout(IngestConfig(dataset=str(photos)), photos)
    layout = corrected(photos)
    assert [list(each) for each in layout.splits["train"]] == [list(each) for each in untouched.splits["train"]]


def test_the_last_decision_counts(photos: Path) -> None:
    for decision in ("label", "leave_out", "keep"):
        decide(photos, "cat/0.png", decision, "dog")
    decide(photos, "cat/1.png", "keep")
    decide(photos, "cat/1.png", "label", "dog")
    for decision in ("same", "not_same"):
        decide(photos, "dog/1.png", decision, "dog/2.png")
    decide(photos, "dog/3.png", "not_same", "dog/4.png")
    decide(photos, "dog/4.png", "same", "dog/3.png")
    layout = corrected(photos)
    assert "cat/0.png" in files(layout, "cat")
    assert "cat/1.png" in files(layout, "dog")
    assert set(layout.groups) == {"dog/3.png", "dog/4.png"}
    assert layout.corrections == {"keep": 1, "label": 1, "same": 1, "not_same": 1}


def test_what_was_judged_is_gone_or_has_changed(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    decide(photos, "cat/0.png", "leave_out")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(photos / "cat" / "0.png")
    decide(photos, "cat/1.png", "leave_out")
    (photos / "cat" / "1.png").unlink()
    decide(photos, "elsewhere/1.png", "label", "no class", sha256=64 * "a")
    decide(photos, "cat/2.png", "same", "cat/1.png")
    with (photos / FILE_NAME).open("a") as file:
        file.write("cat/3.png,0123")
    with caplog.at_level(logging.WARNING):
        layout = corrected(photos)
    assert layout.corrections == {"passed_over": 5}
    assert "cat/0.png" in files(layout, "cat")
    assert "1 lines cannot be read: 6" in caplog.text
    assert "4 lines are passed over" in caplog.text
    assert "2 (cat/0.png), 3 (cat/1.png), 4 (elsewhere/1.png), ..." in caplog.text


def test_a_decision_on_new_bytes_counts_again(photos: Path) -> None:
    decide(photos, "cat/0.png", "leave_out")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(photos / "cat" / "0.png")
    decide(photos, "cat/0.png", "label", "dog")
    layout = corrected(photos)
    assert "cat/0.png" in files(layout, "dog")
    assert layout.corrections == {"label": 1, "passed_over": 1}


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("dgo", "line 2: 'dgo', the label of 'cat/0.png', is no class; is 'dog' meant?"),
        ("zebra", "is no class; the classes are 'bird', 'cat', 'dog'"),
    ],
)
def test_a_label_that_is_no_class_is_refused(photos: Path, label: str, reason: str) -> None:
    decide(photos, "cat/0.png", "label", label)
    with pytest.raises(ComponentError, match=reason):
        corrected(photos)
    decide(photos, "cat/0.png", "label", "dog")  # which takes the mistake back
    assert corrected(photos).corrections == {"label": 1}


def test_a_class_is_not_emptied(photos: Path) -> None:
    for number in range(12):
        decide(photos, f"cat/{number}.png", "label" if number % 2 else "leave_out", "dog")
    with pytest.raises(ComponentError, match="leave class 'cat' without photos in split 'train': all 12 are left out"):
        corrected(photos)


@pytest.mark.parametrize("name", ["a,b.png", 'say "hi".png', "two\nlines.png", "cr\r.png", "\udce9.png", " é.png"])
def test_any_name(photos: Path, name: str) -> None:
    os.rename(photos / "cat" / "0.png", photos / "cat" / name)
    decide(photos, f"cat/{name}", "label", "dog")
    decide(photos, f"cat/{name}", "same", "dog/1.png")
    layout = corrected(photos)
    assert f"cat/{name}" in files(layout, "dog")
    assert set(layout.groups) == {f"cat/{name}", "dog/1.png"}


def test_pairs_join_groups_of_the_manifest(photos: Path) -> None:
    rows = [f"{name}/{number}.png,{name},{'burst' if number < 2 else ''}" for name in CLASSES for number in range(12)]
    (photos / "labels.csv").write_text("file,label,group\n" + "\n".join(row.replace("burst", row[:3]) for row in rows))
    decide(photos, "cat/0.png", "same", "cat/5.png")
    decide(photos, "cat/6.png", "same", "cat/5.png")
    decide(photos, "dog/1.png", "same", "dog/0.png")
    groups = corrected(photos / "labels.csv").groups
    together = {name for name, group in groups.items() if group == groups["cat/5.png"]}
    assert together == {"cat/0.png", "cat/1.png", "cat/5.png", "cat/6.png"}
    assert groups["dog/0.png"] == groups["dog/1.png"] != groups["bird/0.png"]


def test_photos_of_a_group_stay_in_one_split(photos: Path, workspace: Workspace) -> None:
    for number in range(1, 6):
        decide(photos, "cat/0.png", "same", f"cat/{number}.png")
    examples = ingest(photos, workspace)
    splits = {
        split
        for split, slice_ in examples.splits.items()
        for image, _ in read(examples, slice_).as_numpy_iterator()
        if image[0, 0].tolist() in [[20 * number, 80, 9] for number in range(6)]
    }
    assert len(splits) == 1


def test_corrections_are_part_of_the_fingerprint_wherever_they_are(photos: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.csv"
    beside, named = (
        Ingest(IngestConfig(dataset=str(photos))),
        Ingest(IngestConfig(dataset=str(photos), corrections=str(ours))),
    )
    before = beside.fingerprint(tmp_path / "root", {})
    assert named.fingerprint(tmp_path / "root", {}) == before
    assert named.identity() == beside.identity()
    decide(photos, "cat/0.png", "keep")
    assert before != beside.fingerprint(tmp_path / "root", {})
    assert named.fingerprint(tmp_path / "root", {}) == before
    (photos / FILE_NAME).rename(ours)
    assert beside.fingerprint(tmp_path / "root", {}) == before
    assert named.fingerprint(tmp_path / "root", {}) != before


def test_a_photo_that_is_kept_changes_nothing_that_is_made(photos: Path, workspace: Workspace) -> None:
    ingest(photos, workspace)
    before = digest_folder(workspace.folder).digest
    for path in (workspace.folder, workspace.scratch):
        os.rename(path, path.with_name(f"{path.name}_before"))
        path.mkdir()
    decide(photos, "cat/0.png", "keep")
    decide(photos, "cat/0.png", "not_same", "cat/1.png")
    assert ingest(photos, workspace).corrections == {"keep": 1, "not_same": 1}
    assert digest_folder(workspace.folder).digest == before


def test_the_file_is_no_litter_of_the_folder(photos: Path, workspace: Workspace) -> None:
    decide(photos, "cat/0.png", "keep")
    assert ingest(photos, workspace).left_out_files == {}
    assert not (workspace.folder / "logs" / "rejected.jsonl").exists()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"dataset": "cifar10", "corrections": "./ours.csv"}, "cifar10 is a TFDS dataset.* not supported yet"),
        ({"dataset": "cifar10_sample", "corrections": "./ours.csv"}, "cifar10_sample is a TFDS dataset"),
        ({"corrections": "{photos}"}, "is a folder; expected a file, such as ./corrections.csv"),
        ({"corrections": "{photos}/no/ours.csv"}, "which is not there; expected a file"),
    ],
)
def test_places_that_cannot_be(photos: Path, tmp_path: Path, values: dict[str, str], reason: str) -> None:
    given = {"dataset": str(photos)} | {name: value.format(photos=photos) for name, value in values.items()}
    with pytest.raises(ComponentError, match=reason):
        Ingest(IngestConfig(**given)).fingerprint(tmp_path, {})


def test_a_config_names_a_file() -> None:
    for value in ("s3://bucket", "s3://bucket/", "s3://bucket/ours/", "gs:///ours.csv", ""):
        with pytest.raises(ValueError, match="names no file, as"):
            IngestConfig.model_validate_json(json.dumps({"corrections": value}))
    assert IngestConfig(corrections="s3://bucket/ours.csv").corrections == "s3://bucket/ours.csv"
