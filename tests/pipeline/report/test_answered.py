"""The report knows which findings people have answered."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import Examples
from components.corrections_file import Correction, append_corrections
from components.files import digest_file
from pipeline.report.answered import answered_in
from tests.pipeline.review.findings import FINDINGS, Reviewed, record


def examples_of(reviewed: Reviewed) -> Examples:
    (document,) = reviewed.root.glob(f"ingest/*/*/{Examples.document_name()}")
    return Examples.read(document.parent)


def decide(reviewed: Reviewed, file: str, decision: str) -> None:
    sha256 = digest_file(reviewed.photos / file)
    append_corrections(reviewed.file, [Correction(file, sha256, decision, other="cat/2.png" * (decision == "same"))])


def test_findings_that_are_decided_are_answered(tmp_path: Path) -> None:
    reviewed = record(tmp_path)
    assert not any(map(answered_in(examples_of(reviewed)), FINDINGS))
    decide(reviewed, "cat/1.png", "same")
    decide(reviewed, "bird/0.png", "keep")
    is_answered = answered_in(examples_of(reviewed))
    assert [each.reason for each in FINDINGS if is_answered(each)] == ["mirrored", "blurred"]
    (reviewed.photos / "bird" / "0.png").write_bytes(b"another photo")
    is_answered = answered_in(examples_of(reviewed))
    assert [each.reason for each in FINDINGS if is_answered(each)] == ["mirrored"]


def test_decisions_that_cannot_be_read_hide_nothing(tmp_path: Path) -> None:
    reviewed = record(tmp_path)
    reviewed.file.write_text("file,label\n")
    assert not any(map(answered_in(examples_of(reviewed)), FINDINGS))
    unnamed = examples_of(reviewed).model_copy(update={"corrections_file": ""})
    assert not any(map(answered_in(unnamed), FINDINGS))
