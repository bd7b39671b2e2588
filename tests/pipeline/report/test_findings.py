"""The page about findings as a person sees it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from components.artifacts import Examples
from components.findings import Finding, FindingKind, ImageReference
from pipeline.report import write_report, written_pages
from tests.pipeline.report.conftest import Opener
from tests.pipeline.report.pages import assert_sound, column
from tests.pipeline.report.roots import Root, noon, probabilities_for

MEGABYTE = 1_000_000
LABELS = np.arange(48) % 3
HOSTILE = 'a "b", <script>alert(1)</script>\n/IMG & 1.jpg'


def image(split: str, index: int, label: int | None = None, file: str = "") -> ImageReference:
    return ImageReference(split=split, index=index, label=index % 3 if label is None else label, digest="00", file=file)


def finding(kind: FindingKind, *images: ImageReference, score: float = 0.9, better: int | None = None) -> Finding:
    reason = {"near_copy": "mirrored", "label_issue": "fits better", "odd_image": "blurred"}[kind]
    return Finding(kind=kind, images=images, score=score, reason=reason, suggested_label=better)


FOUND = (
    finding("near_copy", image("train", 3), image("train", 6)),
    finding("near_copy", image("train", 0), image("test", 0)),
    finding("label_issue", image("train", 1, file=HOSTILE), score=0.97, better=2),
    finding("label_issue", image("validation", 2), score=0.9, better=0),
    finding("odd_image", image("test", 5)),
)


def write_page(examples: Examples, root: Path, found: tuple[Finding, ...] = FOUND) -> Path:
    """Records a run with these findings, writes its pages, and returns the one about the data."""
    made = Root(root, examples)
    made.findings = found
    made.run("one", LABELS, probabilities_for(LABELS, len(examples.class_names), 0.6))
    return write_report(root, "one", noon).with_name("data.html")


def shown(page: Page, section: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(f"#{section} .sheet li").all_inner_texts()]


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_shows_every_finding_with_its_words(
    tiny: Examples, tmp_path: Path, opener: Opener, width: int
) -> None:
    opened = opener.open(write_page(tiny, tmp_path), width)
    assert_sound(opened)
    page = opened.page
    assert page.locator("h1").inner_text() == "What looks wrong with the images"
    assert page.locator("header p").nth(1).inner_text().startswith("Of 48 test images, 1 has a near copy")
    assert column(page, "#counts", 2) == ["2", "2", "1", ""]
    assert [column(page, "#counts", split) for split in (3, 4, 5)] == [
        ["3", "1", "0", "96"],
        ["0", "1", "0", "24"],
        ["1", "0", "1", "48"],
    ]
    assert shown(page, "near_copy") == ["red train 0", "red test 0", "red train 3", "red train 6"]
    assert page.locator("#near_copy .groups p").first.inner_text().startswith("mirrored")
    name = " ".join(HOSTILE.split())
    assert shown(page, "label_issue") == [f"green → blue 97 % train: {name}", "blue → red 90 % validation 2"]
    assert shown(page, "odd_image") == ["blue: blurred 90 % test 5"]
    assert page.locator(".sheet img").count() == 7


def test_the_report_leads_to_the_page_and_back(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    report = write_page(tiny, tmp_path).with_name("report.html")
    beside = next(tmp_path.glob("evaluate/*/report.html"))
    for each in (report, beside):
        page = opener.open(each).page
        assert (
            page.locator("#found")
            .inner_text()
            .startswith("Looked at for what is wrong: 2 groups of near copies, 2 labels that look wrong, 1 odd image.")
        )
        warnings = page.locator("#data .warning").all_inner_texts()
        assert warnings[0] == "1 of 48 test images have a near copy in train."
        page.locator("#found a").click()
        assert page.url == report.with_name("data.html").as_uri()
        page.locator(".where a").nth(1).click()
        assert page.url == report.as_uri() + "#data"
    assert report.with_name("data.html") in written_pages(tmp_path, "one")


def test_a_run_that_did_not_look_has_no_page_not_even_an_old_one(tiny: Examples, tmp_path: Path) -> None:
    Root(tmp_path, tiny).run("one", LABELS, probabilities_for(LABELS, 3, 0.6))
    old = tmp_path / "runs" / "one" / "data.html"
    old.write_text("of an earlier run of this name")
    report = write_report(tmp_path, "one", noon)
    assert not old.exists()
    assert "data.html" not in report.read_text()


def test_the_class_that_is_chosen_is_shown_alone(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    page = opener.open(write_page(tiny, tmp_path)).page
    assert page.locator("#filter option").all_inner_texts() == ["all classes", "blue", "green", "red"]
    page.select_option("#filter select", label="blue")
    assert page.locator("[data-classes]:visible").count() == 3
    assert shown(page, "odd_image") == ["blue: blurred 90 % test 5"]
    page.select_option("#filter select", label="all classes")
    assert page.locator("[data-classes]:visible").count() == 5


def test_without_a_script_everything_is_shown_and_nothing_is_to_be_chosen(
    tiny: Examples, tmp_path: Path, opener: Opener
) -> None:
    page = opener.open(write_page(tiny, tmp_path), script=False).page
    assert page.locator("[data-classes]:visible").count() == 5
    assert not page.locator("#filter").is_visible()


def test_of_many_findings_the_page_says_how_many_it_leaves_out(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    burst = finding("near_copy", *(image("train", index) for index in range(0, 27, 3)), image("test", 0))
    pairs = [finding("near_copy", image("train", index % 90), image("train", 95)) for index in range(130)]
    found = (*pairs, burst, *(finding("odd_image", image("train", index % 96)) for index in range(2345)))
    path = write_page(tiny, tmp_path, found)
    assert path.stat().st_size < 3 * MEGABYTE
    page = opener.open(path).page
    first = page.locator("#near_copy .groups > li").first
    assert first.locator("img").count() == 6
    assert first.locator("li").all_inner_texts()[-1].split() == ["red", "test", "0"]  # what makes it worst is shown
    assert "And 4 more images." in first.inner_text()
    assert page.locator("#near_copy .groups > li").count() == 100
    assert "31 more in findings.jsonl." in page.locator("#near_copy").inner_text()
    assert "2,245 more in findings.jsonl." in page.locator("#odd_image").inner_text()


def test_nothing_found_is_said(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    opened = opener.open(write_page(tiny, tmp_path, ()))
    assert_sound(opened)
    assert opened.page.locator("h1").inner_text() == "Nothing looks wrong with the images"
    assert opened.page.get_by_text("None were found.").count() == 3
    assert "The test images have no vectors." in opened.page.locator("#weak").inner_text()


def test_a_dataset_that_is_gone_leaves_the_words(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    directory = tmp_path / "tiny" / "1.0.0"
    shutil.copytree(tiny.prepared_directory, directory)
    for shard in directory.glob("*.tfrecord*"):
        shard.unlink()
    opened = opener.open(write_page(tiny.model_copy(update={"directory": directory}), tmp_path / "root"))
    assert_sound(opened)
    assert "The images can no longer be read" in opened.page.locator(".warning").inner_text()
    assert shown(opened.page, "near_copy")[0] == "red train 0"
    assert opened.page.locator("img").count() == 0


def test_damaged_findings_are_said_on_the_page_and_the_report_stays(
    tiny: Examples, tmp_path: Path, opener: Opener
) -> None:
    page = write_page(tiny, tmp_path)
    (file,) = tmp_path.glob("inspect/*/attempt-*/findings.jsonl")
    file.write_bytes(file.read_bytes()[:-20] + b" " * 20)  # as long as before, which the store takes for whole
    report = write_report(tmp_path, "one", noon)
    opened = opener.open(page)
    assert_sound(opened)
    assert opened.page.locator("h1").inner_text() == "The findings cannot be read"
    assert opened.page.locator("#damage").inner_text().startswith(f"{file} is damaged: line 5 is no finding")
    assert opened.page.locator("img").count() == 0
    assert opener.open(report).page.locator("#found").count() == 1


def test_a_thousand_classes_can_be_chosen_from(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    names = tuple(f"n{index:04} <i>greater</i> short-horned lesser panda, Ailurus" for index in range(1000))
    found = tuple(finding("label_issue", image("train", 0, label=10 * index), better=999) for index in range(100))
    opened = opener.open(write_page(tiny.model_copy(update={"class_names": names}), tmp_path, found), width=390)
    assert_sound(opened)
    assert opened.page.locator("#filter option").count() == 102
    opened.page.select_option("#filter select", value="10")
    assert opened.page.locator("[data-classes]:visible").count() == 1


def test_a_weak_group_is_shown_by_its_pictures(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    random = np.random.default_rng(0)
    probabilities = np.eye(3, dtype=np.float32)[LABELS]
    weak = np.arange(0, 48, 3)
    probabilities[weak[:-1]] = np.roll(probabilities[weak[:-1]], 1, axis=1)  # all but one red image are called green
    vectors = np.eye(8)[LABELS] + random.normal(0, 0.05, (48, 8))
    root = Root(tmp_path, tiny)
    root.findings, root.test_vectors = (), vectors.astype(np.float16)
    root.run("one", LABELS, probabilities)
    opened = opener.open(write_report(tmp_path, "one", noon).with_name("data.html"), width=390)
    assert_sound(opened)
    section = opened.page.locator("#weak")
    assert section.locator(".groups p").inner_text().startswith("15 of 16 images like these are wrong; 0.0")
    assert section.locator("img").count() == 12
    assert all(text.startswith("green is red test ") for text in shown(opened.page, "weak"))
