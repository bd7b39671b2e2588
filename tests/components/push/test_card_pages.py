"""The model card for people: as text, as a browser shows it, and with names that try to break it."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from components.artifacts import Caption
from components.push.card_facts import class_results, slice_results
from components.push.card_pages import escape_markdown, render, write_card_pages
from tests.components.push.cards import facts_of, measurement
from tests.pipeline.report.conftest import Opener, opener
from tests.pipeline.report.pages import assert_sound

__all__ = ["opener"]

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=alert(1)>",
    "a | b ` c *d* [e](http://x.y) ![f](g)",
    "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe",
    "قطة",
    "חתול & כלב",
    "x" * 300,
    "{{ 7 * 7 }}",
)
CAPTION = Caption(
    stated_precision=0.95, confidence=0.81, validation_images=40, precision=0.94, interval=(0.9, 0.97),
    named_fraction=0.62,
)  # fmt: skip


def markdown(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def test_classes_stand_by_how_often_they_are_found() -> None:
    first, second, third = class_results(("cat", "dog", "none"), [[9, 1, 0], [4, 6, 0], [0, 0, 0]])
    assert (first.name, first.recall, first.precision, first.taken_for) == ("dog", 0.6, 6 / 7, "cat")
    assert (second.name, second.recall, second.precision, second.taken_for) == ("cat", 0.9, 9 / 13, "dog")
    assert (third.name, third.images, third.recall, third.precision, third.taken_for) == ("none", 0, None, None, "")


def test_slices_are_those_with_images_that_are_no_classes() -> None:
    slices = {
        "class=cat": {"example_count": 10, "accuracy": 0.1},
        "brightness=dark": {"example_count": 10, "accuracy": 0.9},
        "brightness=none": {"example_count": 0},
        "folder=a=b": {"example_count": 4, "accuracy": 0.5},
    }
    assert [(row.feature, row.value, row.images) for row in slice_results(slices)] == [
        ("folder", "a=b", 4),
        ("brightness", "dark", 10),
    ]


@pytest.mark.parametrize("kind", ["md", "html"])
def test_both_pages_say_the_same(kind: str, tmp_path: Path) -> None:
    slices = {"brightness=dark": {"example_count": 20, "accuracy": 0.75}}
    facts = facts_of(("cat", "dog"), tmp_path, slices=slices, caption=CAPTION, config={"license": "MIT"})
    text = render(facts, kind).replace("\N{NARROW NO-BREAK SPACE}", " ")
    for said in (
        "80.0 %", "12 of 60 test images", "Below a probability of 0.81", "62 % are named, 94.0 % of them", "MIT",
        "400 images to train on", "dark", "75.0 %", "Classifier.mlpackage", "older iPhones too", "uint8 pixels",
        "imageCropAndScaleOption = .centerCrop", "32 x 32", "c0ffeec0ffee", "912 kB",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize("kind", ["md", "html"])
def test_both_pages_say_how_long_files_take_and_why_some_were_not_timed(kind: str, tmp_path: Path) -> None:
    measured = {"saved_model": measurement("TensorFlow 2"), "litert_int8": measurement("LiteRT of TensorFlow 2")}
    text = _shown(render(facts_of(("cat", "dog"), tmp_path, measurements=measured), kind))
    for said in (
        "Time and memory", "81.5 ms", "3.14 / 4.5 ms", "2.2 / 1,250 ms", "13.6 MB",
        "on AMD EPYC 7B13 (2 cores, Linux x86_64), in TensorFlow 2, LiteRT of TensorFlow 2: the median",
        "Core ML files were not timed", "11.07 million operations",
    ):  # fmt: skip
        assert said in text, said
    assert "Other programs had the cores" not in text


@pytest.mark.parametrize("kind", ["md", "html"])
def test_both_pages_say_that_a_machine_was_busy_and_nothing_of_files_that_are_not_there(
    kind: str, tmp_path: Path
) -> None:
    measured = {"saved_model": measurement("TensorFlow 2", processor_milliseconds=1)}
    text = _shown(render(facts_of(("cat", "dog"), tmp_path, variants=(), measurements=measured), kind))
    assert "Other programs had the cores for much of that time" in text
    assert "Core ML files were not timed" not in text


def _shown(page: str) -> str:
    page = page.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\\_", "_")
    return page.replace("</td>", " ").replace(" |", " ")


def test_pictures_of_the_markdown_page_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    write_card_pages(facts_of(("cat", "dog"), tmp_path), tmp_path)
    text = (tmp_path / "assets.extra" / "model_card.md").read_text()
    pictures = sorted((tmp_path / "assets.extra" / "mistakes").iterdir())
    assert len(pictures) == 12
    assert [f'src="mistakes/{picture.name}"' in text for picture in pictures] == [True] * 12
    assert "| cat, 90" in text


def test_no_name_changes_the_markdown_around_it(tmp_path: Path) -> None:
    plain = markdown(render(facts_of(tuple(f"class {index}" for index in range(8)), tmp_path), "md"))
    text = render(facts_of(HOSTILE, tmp_path), "md")
    shown = markdown(text)
    for tag in ("<script", "<tr", "<td", "<a ", "<em", "<code", "<img", "<h3"):
        assert shown.count(tag) == plain.count(tag), tag
    assert "{{ 7 * 7 }}" in shown
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    assert "\N{FIRST STRONG ISOLATE}قطة\N{POP DIRECTIONAL ISOLATE}" in text


@pytest.mark.parametrize(
    "text", ["# a", "10. a", "- a", "+ a", ":frog:", "http://a.b", "www.a.b", "a@b.c", "a\n\n# b", "~~a~~", "<b>a</b>"]
)
def test_text_of_data_is_shown_as_it_is(text: str) -> None:
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(escape_markdown(text))
    assert shown == f"<p>{html.escape(' '.join(text.split()), quote=False)}</p>\n"


@pytest.mark.parametrize("width", [360, 1200])
def test_no_name_breaks_the_page(width: int, tmp_path: Path, opener: Opener) -> None:
    slices = {f"folder={name}": {"example_count": 20, "accuracy": 0.75} for name in HOSTILE}
    page = tmp_path / "card.html"
    measured = {"saved_model": measurement("TensorFlow 2.21.0"), "litert_int8": measurement("LiteRT of TensorFlow 2")}
    facts = facts_of(HOSTILE, tmp_path, slices=slices, caption=CAPTION, measurements=measured)
    page.write_text(render(facts, "html"), encoding="utf-8")
    opened = opener.open(page, width)
    assert_sound(opened)
    assert opened.page.title() == "Model card: 8 classes of images"
    assert opened.page.locator("#classes tbody").first.locator("tr").count() == 8
    assert opened.page.get_by_text("<img src=x onerror=alert(1)>").count() > 0


def test_two_thousand_classes_make_a_short_page(tmp_path: Path) -> None:
    facts = facts_of(tuple(f"class {index:04}" for index in range(2_000)), tmp_path, images=100)
    for kind in ("md", "html"):
        text = render(facts, kind)
        assert len(text) < 100_000
        assert "1,900 more" in text
        assert "1,960 classes that are found more often are left out" in text
