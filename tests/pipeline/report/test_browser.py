"""The pages as a person sees them: in a real browser, from disk, with no network."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Caption, Evaluation, Examples
from components.push.card import read_card
from pipeline.report import write_comparison, write_report
from tests.pipeline.report.conftest import FIRST, SECOND, Opener, TwoRuns
from tests.pipeline.report.pages import assert_sound, column, value, values
from tests.pipeline.report.roots import Root, baseline_of, noon, probabilities_for

MEGABYTE = 1_000_000
LABELS = np.arange(48) % 3
PAPER_PIXELS = 680  # A4 within margins of 1.5 cm


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
        "Time and memory",
        "Lineage",
        "Again",
    ]


def test_figures_are_those_of_the_evaluation(report: Path, opener: Opener, two_runs: TwoRuns) -> None:
    page, evaluation = opener.open(report).page, two_runs.after
    assert value(page, "#accuracy") == evaluation.metrics["accuracy"]
    names = column(page, "#metrics", 1)
    shown = zip((name.replace(" ", "_") for name in names), values(page, "#metrics"), strict=True)
    assert dict(shown) == evaluation.metrics
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


def test_the_card_has_every_figure_of_a_file(report: Path, opener: Opener, two_runs: TwoRuns) -> None:
    card = read_card(two_runs.root.path / "pushed" / "1")
    for width in (1200, 390):
        page = opener.open(report, width).page
        assert "57.0 million operations" in page.locator("#card").inner_text()
        for index, row in enumerate(card.files, start=1):
            cells = page.locator(f"#card tbody tr:nth-child({index}) td")
            assert row.file in cells.first.inner_text()
            texts = [text.split()[-1] for text in cells.all_inner_texts()]
            assert (texts[3], texts[4]) == (row.weights, row.activations)
            shown = [float(data.get_attribute("value") or "nan") for data in cells.locator("data").all()]
            said = row.comparison
            assert shown == [
                row.bytes,
                row.size_over_float32,
                said.accuracy,
                said.accuracy_difference,
                said.agreement,
                said.max_probability_difference,
            ]
            assert all(cell.bounding_box()["x"] + cell.bounding_box()["width"] <= width for cell in cells.all())  # type: ignore[index]


def test_files_that_were_measured_have_their_times_and_others_say_why_not(report: Path, opener: Opener) -> None:
    for width in (1200, 390):
        opened = opener.open(report, width)
        assert_sound(opened)
        section = opened.page.locator("#time")
        assert "on AMD EPYC 7B13 (2 cores, Linux x86_64), when version 1" in section.inner_text()
        measured, other = (section.locator(f"tbody tr:nth-child({row})") for row in (1, 2))
        figures = [data.get_attribute("value") for data in measured.locator("data").all()]
        assert figures == ["1250.5", "3.25", "4.5", "2.5", "120.0", "3.0", "61000000"]
        boxes = [data.bounding_box() for data in section.locator("data").all()]
        assert all(box is not None and box["x"] + box["width"] <= width for box in boxes)
        assert "TensorFlow 2.21.0" in measured.inner_text()
        assert "not timed: Apple's systems only" in other.inner_text()
        assert other.locator("data[value='']").count() == 7


def test_an_older_card_has_no_times(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    root = Root(tmp_path, tiny)
    root.run(FIRST, LABELS, probabilities_for(LABELS, 3, 0.8))
    file = tmp_path / "pushed" / "1" / "assets.extra" / "model_card.json"
    card = json.loads(file.read_bytes())
    del card["machine"]
    for row in card["files"]:
        del row["measurement"]
    file.write_text(json.dumps(card))
    opened = opener.open(write_report(tmp_path, FIRST, noon))
    assert_sound(opened)
    assert opened.page.locator("#card tbody tr").count() == 2
    assert opened.page.locator("#time").count() == 0


def test_the_page_of_a_real_run_has_the_figures_of_its_evaluation(sample_root: Path, opener: Opener) -> None:
    (document,) = sample_root.glob("evaluate/*/attempt-*/evaluation.json")
    (report,) = sample_root.glob("runs/*/report.html")
    evaluation = Evaluation.read(document.parent)
    opened = opener.open(report)
    assert_sound(opened)
    page = opened.page
    assert value(page, "#accuracy") == evaluation.metrics["accuracy"]
    assert value(page, "#calibration-error") == evaluation.metrics["expected_calibration_error"]
    names = [name.replace(" ", "_") for name in column(page, "#metrics", 1)]
    assert dict(zip(names, values(page, "#metrics"), strict=True)) == evaluation.metrics
    cells = [int(text or 0) for text in page.locator(".matrix td").all_inner_texts()]
    assert cells == [count for row in evaluation.confusion_matrix for count in row]
    for row in page.locator("#classes tbody tr").all():
        _, recall, precision, f1, auc = (
            float(data.get_attribute("value") or "nan") for data in row.locator("data").all()
        )
        slice_ = evaluation.slices[f"class={row.locator('td').first.inner_text()}"]
        assert [recall, precision, f1, auc] == [slice_[name] for name in ("recall", "precision", "f1", "auc")]
    slices = page.locator("#slices tbody tr").all()
    assert len(slices) == sum(not name.startswith("class=") for name in evaluation.slices)
    shown = {float(row.locator("data").nth(1).get_attribute("value") or "nan") for row in slices}
    assert shown == {each["accuracy"] for name, each in evaluation.slices.items() if not name.startswith("class=")}


def test_images_that_are_gone_are_left_out_with_a_sentence(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    directory = tmp_path / "tiny" / "1.0.0"
    shutil.copytree(tiny.prepared_directory, directory)
    root = Root(tmp_path / "root", tiny.model_copy(update={"directory": directory}))
    for seed, run_id in enumerate(("one", "two")):
        root.run(run_id, LABELS, probabilities_for(LABELS, 3, 0.5, seed))
    for shard in directory.glob("*.tfrecord*"):
        shard.unlink()
    opened = opener.open(write_report(root.path, "one", noon))
    assert_sound(opened)
    assert opened.page.locator("img").count() == 0
    text = opened.page.locator("#unreadable").inner_text()
    assert "The images can no longer be read, and this page shows none. NotFoundError: " in text
    opened = opener.open(write_comparison(root.path, "one", "two", noon))
    assert_sound(opened)
    assert "The images can no longer be read" in opened.page.locator("main").inner_text()
    assert opened.page.locator("#gained p").inner_text().endswith(" images that only two gets right.")
    shutil.rmtree(directory)
    opened = opener.open(write_report(root.path, "one", noon))
    assert_sound(opened)
    assert opened.page.locator("#metrics").count() == 1
    assert "What ingest made in this run is no longer there" in opened.page.locator("#lineage").inner_text()


def test_paper_shows_all_of_every_table(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    root = Root(tmp_path, tiny)
    old = root.run("old", LABELS, probabilities_for(LABELS, 3, 0.5, seed=1))
    assert old is not None
    figures = dict.fromkeys(("accuracy", "recall", "precision", "f1", "auc", "cross_entropy"), 0.51234567)
    slices = {f"brightness={name}": figures for name in ("dark", "medium", "bright")}
    changes: dict[str, Any] = {"baseline": baseline_of(old), "slices": slices | {"class=red": figures}}
    root.run("new", LABELS, probabilities_for(LABELS, 3, 0.9, seed=2), minutes=1, **changes)
    page = opener.open(write_report(tmp_path, "new", noon), width=PAPER_PIXELS).page
    page.emulate_media(media="print", color_scheme="dark")
    for table in page.locator("table").all():
        box = table.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PAPER_PIXELS, table.inner_text()
    assert page.locator(".tall").evaluate_all("all => all.every(each => each.scrollHeight <= each.clientHeight)")
    assert page.locator("#reproduction").is_visible()
    pdf = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "1.5cm"))
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12


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
