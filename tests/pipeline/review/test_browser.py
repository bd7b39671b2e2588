"""The page as people use it: in a real browser, by keys, with a finger, two at once, and when everything is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from components.component import Workspace
from components.ingest import Ingest, IngestConfig
from tests.components.ingest import running
from tests.pipeline.review.conftest import serving
from tests.pipeline.review.embedded import embed
from tests.pipeline.review.findings import FINDINGS, Reviewed, finding, record


class Visitors:
    """Opens the page for people, and keeps what their browsers complained of."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.errors: list[str] = []

    def arrive(self, url: str, width: int = 1200) -> Page:
        context = self._browser.new_context(viewport={"width": width, "height": 800}, has_touch=width < 600)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text))
        page.goto(url)
        expect(page.locator("#progress")).to_contain_text("left")
        return page


@pytest.fixture
def visitors(browser: Browser) -> Iterator[Visitors]:
    yield Visitors(browser)
    for context in browser.contexts:
        context.close()


def press(page: Page, key: str, left: int) -> None:
    """Presses a key, and waits until so many findings are left."""
    page.keyboard.press(key)
    expect(page.locator("#progress")).to_contain_text(f"{left} left")


def test_two_findings_then_everything_is_killed_and_a_run_applies_what_was_decided(
    visitors: Visitors, reviewed: Reviewed, workspace: Workspace
) -> None:
    with serving(reviewed) as served:
        page = visitors.arrive(served.url)
        expect(page.locator("#what")).to_have_text("Labels: looks like a dog; dog fits better (99 % sure)")
        expect(page.get_by_role("img").first).to_have_js_property("naturalWidth", 32)
        press(page, "1", 4)
        expect(page.locator("#what")).to_contain_text("Near copies: mirrored")
        page.keyboard.press("ArrowDown")
        press(page, "x", 3)
        page.reload()
        expect(page.locator("#what")).to_contain_text("the same burst")
        port = urlsplit(served.url).port
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(timeout=20)
        page.keyboard.press("s")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was noted: the server cannot be reached")
        expect(page.locator("#what")).to_contain_text("the same burst")
    decided = [("cat/0.png", "label", "dog", ""), ("cat/2.png", "leave_out", "", "")]
    assert reviewed.decisions() == decided
    with serving(reviewed, f"--port={port}"):
        press(page, "s", 2)  # the page that was open goes on
        page.context.close()
        page = visitors.arrive(served.url)
        expect(page.locator("#what")).to_contain_text("blurred")  # the other is held by the page that was closed
        press(page, "k", 1)
        press(page, "k", 0)
        expect(page.locator("#empty")).to_contain_text("All 5 findings are decided.")
    assert len(reviewed.decisions()) == 6

    examples = running.run(Ingest(IngestConfig(dataset=str(reviewed.photos))), workspace)
    assert examples.corrections == {"keep": 2, "label": 1, "leave_out": 1, "same": 2}
    assert sum(examples.example_counts.values()) == 35


def test_another_label_is_typed_and_taken_back(visitors: Visitors, tmp_path: Path) -> None:
    names = ("bird", "cat", "dog", *(f"species {number}" for number in range(997)))
    reviewed = record(tmp_path, FINDINGS, class_names=names)
    with serving(reviewed) as served:
        page = visitors.arrive(served.url)
        page.keyboard.press("l")
        page.keyboard.type("species 87x")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("'species 87x' is no class. Is species 87 or")
        page.keyboard.press("Backspace")
        press(page, "Enter", 4)
        press(page, "u", 5)
        expect(page.locator("#what")).to_contain_text("looks like a dog")
        expect(page.get_by_role("button", name="species 87 2", exact=True)).to_be_visible()
        press(page, "2", 4)
    assert [each[1:3] for each in reviewed.decisions()] == [
        ("label", "species 87"),
        ("keep", ""),
        ("label", "species 87"),
    ]


def test_arrows_go_back_and_forth(visitors: Visitors, reviewed: Reviewed) -> None:
    with serving(reviewed) as served:
        page = visitors.arrive(served.url)
        page.keyboard.press("ArrowRight")
        expect(page.locator("#what")).to_contain_text("mirrored")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#what")).to_contain_text("looks like a dog")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("alert")).to_have_text("There is no finding before this one.")
        press(page, "k", 4)
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".decision")).to_have_text("kept")
    assert len(reviewed.decisions()) == 1


def test_filters_by_kind_and_class(visitors: Visitors, reviewed: Reviewed) -> None:
    with serving(reviewed) as served:
        page = visitors.arrive(served.url)
        page.locator("#kind").select_option("Odd images")
        expect(page.locator("#progress")).to_have_text("1 left, 0 decided")
        expect(page.locator("#what")).to_contain_text("blurred")
        page.locator("#kind").select_option("all")
        page.locator("#class").fill("bird")
        page.locator("#class").press("Enter")
        expect(page.locator("#progress")).to_have_text("2 left, 0 decided")
        page.locator("#class").fill("no class")
        page.locator("#class").press("Enter")
        expect(page.locator("#empty")).to_have_text("There are no findings that fit.")


def test_two_people_at_once(visitors: Visitors, reviewed: Reviewed) -> None:
    with serving(reviewed) as served:
        ada, grace = visitors.arrive(served.url), visitors.arrive(served.url)
        expect(ada.locator("#what")).to_contain_text("looks like a dog")
        expect(grace.locator("#what")).to_contain_text("mirrored")
        ada.keyboard.press("k")
        grace.keyboard.press("s")
        expect(ada.locator("#what")).not_to_contain_text("looks like a dog")
        expect(grace.locator("#what")).not_to_contain_text("mirrored")
        assert ada.locator("#what").inner_text() != grace.locator("#what").inner_text()
    assert {each[0] for each in reviewed.decisions()} == {"cat/0.png", "cat/2.png"}
    assert visitors.errors == []


def test_photos_without_labels_are_labeled_by_keys(visitors: Visitors, tmp_path: Path) -> None:
    embedded = embed(tmp_path)
    with serving(Reviewed(embedded.root, embedded.photos), f"--unlabeled={embedded.inbox}") as served:
        page = visitors.arrive(served.url)
        expect(page.locator("#progress")).to_have_text("8 left, 0 decided")
        expect(page.locator("#what")).to_contain_text("Unlabeled: ")
        expect(page.locator("#keep")).to_be_hidden()
        likeliest = page.locator("#labels button.better").inner_text().split()[0]
        file = page.locator("figure .file").inner_text()
        press(page, "1", 7)
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".decision")).to_have_text(f"→ {likeliest}")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".decision")).to_have_count(0)
        press(page, "x", 6)
        press(page, "u", 7)
    lines = Reviewed(embedded.root, embedded.photos).decisions()
    assert lines[0] == (file, "add", likeliest, "")
    assert visitors.errors == []


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_a_finger_is_enough_and_nothing_is_wider_than_the_screen(
    visitors: Visitors, tmp_path: Path, width: int
) -> None:
    names = ("bird", "cat", "dog", *(f"a species with a rather long name, number {number}" for number in range(20)))
    many = finding("near_copy", *(f"dog/{number}.png" for number in range(12)), score=1, reason="one burst " * 12)
    reviewed = record(tmp_path, (many, *FINDINGS), class_names=names)
    with serving(reviewed) as served:
        page = visitors.arrive(served.url, width)
        expect(page.locator("figure")).to_have_count(12)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        page.locator("figure button").nth(1).click()
        expect(page.locator("figure button").nth(1)).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Leave out").click()
        expect(page.locator(".decision")).to_have_text("left out")
        page.get_by_role("button", name="Same", exact=False).first.click()
        expect(page.locator("#progress")).to_contain_text("5 left")
        for button in page.locator("footer button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 800
            assert box["height"] >= 40
    assert len(reviewed.decisions()) == 1 + 10
