"""The pages as a person sees them: in a real browser, from disk, with no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from components.artifacts import Caption, Check, Examples
from pipeline.report import write_comparison, write_report
from tests.pipeline.report.conftest import FIRST, SECOND, Opened, Opener, TwoRuns
from tests.pipeline.report.roots import Root, baseline_of, noon, probabilities_for

MEGABYTE = 1_000_000
LABELS = np.arange(48) % 3


def value(page: Page, selector: str) -> float:
    """The exact value behind a rounded one."""
    return float(page.locator(f"{selector} data").first.get_attribute("value") or "nan")


def column(page: Page, table: str, index: int) -> list[str]:
    return page.locator(f"{table} tbody tr td:nth-child({index})").all_inner_texts()


def assert_sound(opened: Opened) -> None:
    assert opened.errors == []
    assert opened.requests == []
    too_wide = opened.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide == 0
    assert opened.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.fixture(scope="module")
def report(two_runs: TwoRuns) -> Path:
    return write_report(two_runs.root.path, SECOND, noon)


@pytest.mark.parametrize("width", [1200, 390])
def test_the_report_opens_anywhere(report: Path, opener: Opener, width: int) -> None:
    opened = opener.open(report, width)
    assert_sound(opened)
    assert opened.page.locator("h1").inner_text() == "Published as version 1: its check passed."
    assert report.stat().st_size < MEGABYTE


def test_sections_stand_in_their_order(report: Path, opener: Opener) -> None:
    assert opener.open(report).page.locator("h2").all_inner_texts() == [
        "Accuracy",
        "Learning",
        "Confusion",
        "Classes",
        "Confidence",
        "Most confident mistakes",
        "Least certain images",
        "Slices",
        "Data",
        "Model card",
        "Lineage",
        "Again",
    ]


def test_figures_are_those_of_the_evaluation(report: Path, opener: Opener, two_runs: TwoRuns) -> None:
    page, evaluation = opener.open(report).page, two_runs.after
    assert value(page, "#accuracy") == evaluation.metrics["accuracy"]
    names = column(page, "#metrics", 1)
    shown = [value(page, f"#metrics tbody tr:nth-child({row})") for row in range(1, len(names) + 1)]
    assert dict(zip((name.replace(" ", "_") for name in names), shown, strict=True)) == evaluation.metrics
    cells = [int(text or 0) for text in page.locator(".matrix td").all_inner_texts()]
    assert cells == [count for row in evaluation.confusion_matrix for count in row]


def test_mistakes_show_what_was_said_and_what_was_right(report: Path, opener: Opener, two_runs: TwoRuns) -> None:
    page, matrix = opener.open(report).page, np.array(two_runs.after.confusion_matrix)
    mistakes = int(matrix.sum() - matrix.trace())
    assert page.locator("#mistakes li img").count() == min(mistakes, 24)
    assert page.locator("#uncertain li img").count() == 24
    first = page.locator("#mistakes li").first
    assert first.locator(".wrong").inner_text() in two_runs.after.class_names
    assert first.locator("small").inner_text().startswith("is ")


def test_an_empty_slice_says_so(report: Path, opener: Opener) -> None:
    page = opener.open(report).page
    assert column(page, "#slices table", 1) == ["dark", "none"]
    assert column(page, "#slices table", 4)[1] == "no images"


def test_tables_sort_both_ways(report: Path, opener: Opener) -> None:
    page = opener.open(report).page
    page.locator("#classes th button", has_text="Class").click()
    assert column(page, "#classes table", 1) == ["blue", "green", "red"]
    page.locator("#classes th button", has_text="Class").click()
    assert column(page, "#classes table", 1) == ["red", "green", "blue"]
    page.locator("#classes th button", has_text="Recall").click()
    recalls = [float(text.rstrip("\u202f%")) for text in column(page, "#classes table", 3)]
    assert recalls == sorted(recalls)


def test_without_scripts_nothing_is_missing(report: Path, opener: Opener) -> None:
    page = opener.open(report, script=False).page
    assert page.locator("th button").count() == 0
    assert len(column(page, "#classes table", 1)) == 3


def test_dark_is_dark(report: Path, opener: Opener) -> None:
    page = opener.open(report).page
    brightness = "Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(brightness) > 200
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(brightness) < 60
    assert page.evaluate("Number(getComputedStyle(document.querySelector('svg text')).fill.match(/\\d+/)[0])") > 120
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(brightness) == 255


def test_the_comparison_shows_both_runs(two_runs: TwoRuns, opener: Opener) -> None:
    opened = opener.open(write_comparison(two_runs.root.path, FIRST, SECOND, noon))
    assert_sound(opened)
    text = opened.page.locator("#causes").inner_text()
    assert "config: epochs None → 16" in text
    assert opened.page.locator("#gained li img").count() > opened.page.locator("#lost li img").count()


def test_the_index_leads_to_the_reports(report: Path, two_runs: TwoRuns, opener: Opener) -> None:
    write_report(two_runs.root.path, FIRST, noon)
    opened = opener.open(two_runs.root.path / "runs" / "index.html")
    assert_sound(opened)
    assert column(opened.page, "table", 1) == [SECOND, FIRST]
    opened.page.get_by_role("link", name=SECOND).click()
    assert opened.page.url == report.as_uri()


def test_the_page_tells_of_the_baseline_and_of_drift(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    root = Root(tmp_path, tiny)
    before = probabilities_for(LABELS, 3, 0.5, seed=1)
    old = root.run("old", LABELS, before)
    assert old is not None
    root.examples = tiny.model_copy(update={"content": "9" * 64})
    caption = Caption(
        stated_precision=0.95,
        confidence=0.8123,
        validation_images=24,
        precision=0.9,
        interval=(0.7, 0.97),
        named_fraction=0.4,
    )
    changes: dict[str, Any] = {
        "baseline": baseline_of(old),
        "baseline_probabilities": before,
        "caption": caption,
        "intervals": {"overall": {"accuracy": (0.8, 0.95)}},
    }
    root.run("new", LABELS, probabilities_for(LABELS, 3, 0.9, seed=2), minutes=1, **changes)
    opened = opener.open(write_report(tmp_path, "new", noon), width=390)
    assert_sound(opened)
    page = opened.page
    assert "From version 1" in page.locator(".figures").inner_text()
    assert column(page, "#metrics", 3)[0] == "0.8 to 0.95"
    assert column(page, "#metrics", 5)[0] == "\N{MINUS SIGN}0.0500 to +0.1500"
    assert "from a confidence of 0.8123 on" in page.locator("#caption").inner_text()
    assert "No change of the images to bless with can be told from chance" in page.locator("#drift").inner_text()
    assert page.get_by_role("link", name="old").get_attribute("href") == "../old/report.html"


def test_the_page_lies_with_the_evaluation_too(report: Path, two_runs: TwoRuns, opener: Opener) -> None:
    beside = two_runs.after.folder.parent / "report.html"
    opened = opener.open(beside)
    assert_sound(opened)
    assert value(opened.page, "#accuracy") == two_runs.after.metrics["accuracy"]
    opened.page.get_by_role("link", name="Runs").click()
    assert opened.page.url == (two_runs.root.path / "runs" / "index.html").as_uri()


def odd(tiny: Examples, names: tuple[str, ...]) -> Examples:
    return tiny.model_copy(update={"class_names": names})


def test_class_names_are_only_ever_text(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    names = (
        "<script>alert(1)</script>",
        '"><img src=http://a.example/x onerror=alert(2)>',
        "{{ 7*7 }} $x^2$ " + "o" * 300,
    )
    check = Check(
        metric="accuracy", slice=f"class={names[0]}", value=0.1, bound=">= 0.5", passed=False, reason=names[1]
    )
    root = Root(tmp_path, odd(tiny, names))
    root.run("one", LABELS, probabilities_for(LABELS, 3, 0.5), blessed=False, checks=(check,), state="not blessed")
    opened = opener.open(write_report(tmp_path, "one", noon), width=390)
    assert_sound(opened)
    assert set(column(opened.page, "#classes table", 1)) == set(names)
    assert opened.page.locator(".reasons li").inner_text() == names[1]
    assert opened.page.locator("script").count() == 1


def test_a_thousand_classes_stay_readable(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    count = 1000
    names = tuple(f"class {index:03}" for index in range(count))
    random = np.random.default_rng(0)
    matrix = random.integers(0, 2, (count, count)) + 40 * np.eye(count, dtype=int)
    labels = random.integers(0, count, 48)
    changes: dict[str, Any] = {
        "confusion_matrix": tuple(map(tuple, matrix.tolist())),
        "slices": {f"class={name}": {"recall": 0.5, "precision": 0.5, "f1": 0.5} for name in names},
        "checks": tuple(
            Check(metric="recall", slice=f"class={name}", value=0.5, bound=">= 0.3", passed=True, reason="It is 0.5.")
            for name in names
        ),
    }
    Root(tmp_path, odd(tiny, names)).run("one", labels, probabilities_for(labels, count, 0.5), **changes)
    path = write_report(tmp_path, "one", noon)
    assert path.stat().st_size < 3 * MEGABYTE
    opened = opener.open(path, width=390)
    assert_sound(opened)
    assert opened.page.locator(".matrix").count() == 0
    assert opened.page.locator("#confusion tbody tr").count() == 40
    assert opened.page.locator("#classes tbody tr").count() == count
    assert opened.page.locator("#classes .tall").bounding_box()["height"] < 600  # type: ignore[index]


def test_one_class_renders(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    labels = np.zeros(48, int)
    Root(tmp_path, odd(tiny, ("cat",))).run("one", labels, np.ones((48, 1), np.float32))
    opened = opener.open(write_report(tmp_path, "one", noon))
    assert_sound(opened)
    assert value(opened.page, "#accuracy") == 1
    assert "No class was ever taken for another." in opened.page.locator("#confusion").inner_text()
    assert opened.page.locator("#mistakes").count() == 0


def test_no_images_render(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    Root(tmp_path, tiny).run("one", np.array([], int), np.zeros((0, 3), np.float32), metrics={})
    opened = opener.open(write_report(tmp_path, "one", noon))
    assert_sound(opened)
    assert opened.page.get_by_text("No image was evaluated.").count() == 1


def test_a_metric_that_is_no_number_renders(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    metrics = {"accuracy": 0.5, "cross_entropy": float("nan"), "expected_calibration_error": float("nan")}
    probabilities = np.full((48, 3), np.nan, np.float32)
    Root(tmp_path, tiny).run("one", LABELS, probabilities, metrics=metrics, blessed=False, state="not blessed")
    opened = opener.open(write_report(tmp_path, "one", noon))
    assert_sound(opened)
    assert column(opened.page, "#metrics", 2) == ["0.5", "nan", "nan"]


@pytest.mark.parametrize("last", ["ingest", "normalize", "train"])
def test_a_run_that_ended_early_leaves_sections_out(tiny: Examples, tmp_path: Path, opener: Opener, last: str) -> None:
    Root(tmp_path, tiny).run("one", to=last, state="completed")
    opened = opener.open(write_report(tmp_path, "one", noon))
    assert_sound(opened)
    text = opened.page.locator("main").inner_text()
    assert "No evaluation came of this run." in text
    assert "Nothing was published." in text
    assert ("The images were not scanned." in text) == (last == "ingest")
    assert (opened.page.locator("#training svg").count() > 0) == (last == "train")
