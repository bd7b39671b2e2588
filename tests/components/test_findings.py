"""The artifact Findings is read as inspect wrote it, or a sentence says what is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.component import ComponentError
from components.findings import Finding, Findings, ImageReference


def image(split: str, index: int) -> ImageReference:
    return ImageReference(split=split, index=index, label=0, digest="00")


def copies(*images: ImageReference) -> Finding:
    return Finding(kind="near_copy", images=images, score=0.9, reason="scaled")


FOUND = (
    copies(image("train", 1), image("test", 7), image("test", 8)),
    copies(image("test", 4), image("test", 5)),
    copies(image("train", 2), image("validation", 3)),
    copies(image("validation", 3), image("test", 0)),
    Finding(kind="odd_image", images=(image("test", 6),), score=0.5, reason="blurred"),
)


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    lines = "".join(finding.model_dump_json() + "\n" for finding in FOUND)
    (tmp_path / Findings.FILE).write_text(lines, encoding="utf-8")
    return Findings(
        folder=tmp_path,
        image_counts={"train": 10, "validation": 10, "test": 10},
        counts={"near_copy": 4, "label_issue": 0, "odd_image": 1},
        leaked_images=3,
        label_issue_fraction=0,
    )


def test_findings_are_read_by_kind_in_the_order_of_the_file(findings: Findings) -> None:
    assert tuple(findings.read_findings()) == FOUND
    assert tuple(findings.read_findings("odd_image")) == FOUND[4:]


def test_test_images_leak_only_if_another_split_has_a_copy(findings: Findings) -> None:
    assert findings.leaked_indices() == {0, 7, 8}


@pytest.mark.parametrize(
    ("keep", "what"),
    [
        (slice(0, -40), "line 5 is no finding"),
        (slice(0, 0), "it holds 0 findings"),
        (slice(10, None), "line 1 is no finding"),
    ],
)
def test_a_file_that_is_cut_short_is_refused(findings: Findings, keep: slice, what: str) -> None:
    findings.file.write_bytes(findings.file.read_bytes()[keep])
    sentence = f"{findings.file} is damaged: {what}, where inspect wrote 5 findings. Run again with --force=inspect."
    for read in (lambda: list(findings.read_findings("label_issue")), findings.leaked_indices):
        with pytest.raises(ComponentError) as failure:
            read()
        assert str(failure.value) == sentence


@pytest.mark.parametrize("text", [b"\xff\xfe{}", b"null\n", b'{"kind": "sharp", "images": []}\n', b"\n"])
def test_what_is_no_finding_is_refused(findings: Findings, text: bytes) -> None:
    findings.file.write_bytes(text)
    with pytest.raises(ComponentError, match="damaged: line 1 is no finding"):
        list(findings.read_findings())


def test_a_file_that_is_gone_is_refused(findings: Findings) -> None:
    findings.file.unlink()
    with pytest.raises(ComponentError, match="is damaged: it is gone, where inspect wrote 5 findings"):
        list(findings.read_findings())
