from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.corrections_file import FILE_NAME
from pipeline.errors import UsageError
from pipeline.review.opening import open_review
from tests.pipeline.review.findings import CLASSES, FINDINGS, RUN, Reviewed, finding, record


def test_the_findings_of_a_run(reviewed: Reviewed) -> None:
    review = open_review(reviewed.root, RUN[:12], None, None)
    assert review.run_id == RUN
    assert review.class_names == CLASSES
    assert (review.folder, review.corrections) == (reviewed.photos, reviewed.file)
    assert [item.score for item in review.items] == sorted((each.score for each in FINDINGS), reverse=True)
    assert review.items[0]._replace(score=1) == (
        "label_issue", ("cat/0.png",), ("cat",), ("train",), 1, "dog", "looks like a dog",
    )  # fmt: skip


def test_the_newest_run_that_has_findings_is_taken(reviewed: Reviewed, tmp_path: Path) -> None:
    newer = "20261123-101500-22bb"
    record(tmp_path, FINDINGS[:1], newer)
    assert open_review(reviewed.root, None, None, None).run_id == newer
    assert open_review(reviewed.root, RUN, None, None).run_id == RUN


def test_images_that_are_no_files_are_not_reviewed(tmp_path: Path) -> None:
    unnamed = FINDINGS[0].model_copy(
        update={"images": tuple(each.model_copy(update={"file": ""}) for each in FINDINGS[0].images)}
    )
    reviewed = record(tmp_path, (unnamed, FINDINGS[2]))
    assert [item.kind for item in open_review(reviewed.root, None, None, None).items] == ["label_issue"]


def test_photos_that_were_moved(reviewed: Reviewed, tmp_path: Path) -> None:
    os.rename(reviewed.photos, tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"photos are not there any more. Say where they are with --source"):
        open_review(reviewed.root, None, None, None)
    review = open_review(reviewed.root, None, str(tmp_path / "elsewhere"), None)
    assert review.corrections == tmp_path / "elsewhere" / FILE_NAME
    review = open_review(reviewed.root, None, str(tmp_path / "elsewhere"), str(tmp_path / "ours.csv"))
    assert review.corrections == tmp_path / "ours.csv"


def test_a_manifest_names_files_beside_it(tmp_path: Path) -> None:
    reviewed = record(tmp_path, source=str(tmp_path / "photos" / "labels.csv"))
    (reviewed.photos / "labels.csv").touch()
    assert open_review(reviewed.root, None, None, None).folder == reviewed.photos


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source": ""}, "photos/1.0.0 was not made of files, and decisions name files"),
        (
            {"corrections_file": ""},
            "The run has read no corrections. Set ingest.corrections to a file, such as ./corrections.csv, and give",
        ),
        ({"corrections_file": "/nowhere/ours.csv"}, "/nowhere/ours.csv cannot be written. Set ingest.corrections"),
    ],
)
def test_what_cannot_be_reviewed(tmp_path: Path, fields: dict[str, str], reason: str) -> None:
    reviewed = record(tmp_path, **fields)
    with pytest.raises(UsageError, match=reason):
        open_review(reviewed.root, None, None, None)


def test_damaged_findings_are_refused_with_a_sentence(reviewed: Reviewed) -> None:
    (file,) = reviewed.root.glob("inspect/*/attempt-*/findings.jsonl")
    file.write_bytes(file.read_bytes()[:-20] + b" " * 20)
    with pytest.raises(UsageError, match=r"is damaged: line 5 is no finding.*Run again with --force=inspect"):
        open_review(reviewed.root, None, None, None)


def test_a_file_of_something_else_is_refused(reviewed: Reviewed) -> None:
    reviewed.file.write_text("file,label\n")
    with pytest.raises(UsageError, match="expected the header"):
        open_review(reviewed.root, None, None, None)


def test_a_root_without_findings(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has findings\. `python -m pipeline\.run --set inspect=\{\}` makes them"):
        open_review(tmp_path, None, None, None)
    with pytest.raises(UsageError, match="There are no runs"):
        open_review(tmp_path, "2026", None, None)


def test_a_run_without_findings(tmp_path: Path) -> None:
    reviewed = record(tmp_path, (finding("odd_image", "cat/1.png"),))
    (manifest,) = reviewed.root.glob("inspect/*/manifest.json")
    manifest.unlink()
    with pytest.raises(UsageError, match=f"Run {RUN} has no findings, or no longer has them"):
        open_review(reviewed.root, RUN, None, None)
