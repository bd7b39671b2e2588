"""The page as people use it: in a real browser, with a mouse, a keyboard, and on a phone's width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from components.artifacts import Examples
from pipeline import push
from pipeline.predict.caption import caption
from pipeline.predict.served import find_version, load
from tests.components.train.helpers import images_and_labels
from tests.pipeline.demo.conftest import Demo, push_again

MARGIN = 0.002  # between a probability and the confidence, for what is to be named
PATIENCE_MILLISECONDS = 60_000


class Known(NamedTuple):
    """A test image, and what is in it."""

    file: Path
    class_name: str


class Visitors:
    """Opens the page for members, and keeps what their browsers complained of."""

    def __init__(self, browser: Browser, demo: Demo) -> None:
        self._browser, self._demo = browser, demo
        self.errors: list[str] = []
        self.elsewhere: list[str] = []  # requests to any other server

    def arrive(self, name: str, width: int = 1200) -> Page:
        context = self._browser.new_context(viewport={"width": width, "height": 800})
        page = context.new_page()
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)
        page.goto(self._demo.url)
        page.get_by_label("You are").fill(name)
        page.get_by_label("You are").press("Enter")
        expect(page.locator("#members")).to_contain_text(name)
        expect(page.locator("#model")).to_contain_text("names what it is at least", timeout=PATIENCE_MILLISECONDS)
        return page

    def _note(self, request: object) -> None:
        if not request.url.startswith(self._demo.url):  # type: ignore[attr-defined]
            self.elsewhere.append(request.url)  # type: ignore[attr-defined]


@pytest.fixture
def visitors(browser: Browser, demo: Demo) -> Iterator[Visitors]:
    visitors = Visitors(browser, demo)
    yield visitors
    for context in browser.contexts:
        context.close()
    assert visitors.elsewhere == []


@pytest.fixture(scope="module")
def known(sample: Examples, sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Known]:
    """The first ten test images that the model is right about, and sure enough to name, as its evaluation says."""
    files = sorted(sample_root.glob("evaluate/*/attempt-*/predictions/*.npz"))
    probabilities = np.concatenate([np.load(file)["probabilities"] for file in files])
    images, labels = images_and_labels(sample, "test")
    confidence = load(find_version(sample_root)).confidence
    sure = (probabilities.argmax(1) == labels) & (probabilities.max(1) >= confidence + MARGIN)
    folder = tmp_path_factory.mktemp("known")
    found = []
    for index in np.flatnonzero(sure)[:10]:
        found.append(Known(folder / f"{index}.png", sample.class_names[labels[index]]))
        Image.fromarray(images[index]).save(found[-1].file)
    return found


def captions(page: Page) -> list[str]:
    return page.locator("figcaption").all_inner_texts()


def test_ten_test_images_are_captioned_right(visitors: Visitors, known: list[Known]) -> None:
    ada, grace = visitors.arrive("Ada"), visitors.arrive("Grace", width=390)
    before = len(captions(ada))
    ada.get_by_label("Send photos").set_input_files([each.file for each in known])
    for page in (ada, grace):
        expect(page.locator("figcaption")).to_have_count(before + 10)
        assert captions(page)[before:] == [caption("Ada", each.class_name) for each in known]
    for image in ada.get_by_role("img").all():
        expect(image).to_have_js_property("naturalWidth", 32)
    assert visitors.errors == []


def test_the_chart_shows_when_asked(visitors: Visitors, known: list[Known]) -> None:
    page = visitors.arrive("Ada")
    before = page.locator("figure").count()
    page.get_by_label("Send photos").set_input_files(known[0].file)
    expect(page.locator("figure")).to_have_count(before + 1)
    photo = page.locator("figure").last
    rows = photo.locator(".classes tr")
    expect(rows.first).not_to_be_visible()
    photo.get_by_text("How sure?").click()
    expect(rows.first).to_be_visible()
    assert rows.locator("th").all_inner_texts()[0] == known[0].class_name
    shares = [float(text.split("\u202f")[0]) for text in rows.locator("td:last-child").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.6)
    width = photo.locator(".bar i").first.evaluate("bar => bar.offsetWidth / bar.parentElement.offsetWidth")
    assert width == pytest.approx(shares[0] / 100, abs=0.02)


def test_a_refused_upload_says_why(visitors: Visitors, tmp_path: Path, demo: Demo) -> None:
    (tmp_path / "holiday.jpg").write_text("<script>alert(1)</script>")
    page = visitors.arrive("Ada", width=390)
    before = page.locator("figure").count()
    page.get_by_label("Send photos").set_input_files(tmp_path / "holiday.jpg")
    expect(page.get_by_role("alert")).to_have_text("holiday.jpg: This file is not shown: not an image.")
    assert page.locator("figure").count() == before
    (tmp_path / "huge.jpg").write_bytes(b"x" * 25_000_001)
    page.get_by_label("Send photos").set_input_files(tmp_path / "huge.jpg")
    expect(page.get_by_role("alert")).to_have_text("huge.jpg: This is larger than 25 MB.")
    assert demo.is_up()


def test_a_photo_is_dropped(visitors: Visitors, known: list[Known]) -> None:
    page = visitors.arrive("Ada")
    before = page.locator("figure").count()
    dropped = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "frog.png", { type: "image/png" }));
          return data;
        }""",
        list(known[0].file.read_bytes()),
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop")).not_to_be_visible()
    expect(page.locator("figure")).to_have_count(before + 1)
    assert captions(page)[-1] == caption("Ada", known[0].class_name)


def test_a_keyboard_is_enough(visitors: Visitors) -> None:
    page = visitors.arrive("Ada")
    page.get_by_text("Skip to the message").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.get_by_label("You are").focus()
    reached = []
    for _ in range(100):  # one for each chart is among them
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
              const ringed = [document.activeElement, document.activeElement.nextElementSibling];
              const ring = element => element && getComputedStyle(element).outlineStyle !== "none";
              return [document.activeElement.id || document.activeElement.textContent, ringed.some(ring)];
            }"""
        )
        assert focused[1], f"no focus is visible on {focused[0]}"
        reached.append(focused[0])
        if focused[0] == "Send":
            break
    assert [each for each in reached if each in ("messages", "photo", "text", "Send")] == [
        "messages", "photo", "text", "Send",
    ]  # fmt: skip
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.type("<b>Hello</b> & welcome")
    page.keyboard.press("Enter")
    expect(page.locator(".said").last).to_have_text("<b>Hello</b> & welcome")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    log = page.get_by_role("log")
    assert log.get_attribute("aria-live") == "polite"


def test_members_come_and_go(visitors: Visitors) -> None:
    ada = visitors.arrive("Ada")
    grace = visitors.arrive("Grace")
    expect(ada.locator("#members li")).to_have_text(["AAda", "GGrace"])
    grace.context.close()
    expect(ada.locator("#members li")).to_have_text(["AAda"])


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(visitors: Visitors, width: int) -> None:
    page = visitors.arrive("A name of thirty-nine letters, no less!", width)
    page.get_by_label("Message", exact=True).fill("o" * 500)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".said").last).to_have_text("o" * 500)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    box = page.get_by_role("button", name="Send", exact=True).bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 800


def test_a_push_and_a_rollback_while_the_page_is_open(visitors: Visitors, known: list[Known], demo: Demo) -> None:
    page = visitors.arrive("Ada")
    version = push_again(demo.pushed, "toy ").name
    expect(page.locator("#model")).to_contain_text(f"Version {version} names", timeout=PATIENCE_MILLISECONDS)
    expect(page.locator(".notice").last).to_have_text(f"Version {version} of the model answers from here on.")
    before = page.locator("figure").count()
    page.get_by_label("Send photos").set_input_files(known[0].file)
    expect(page.locator("figure")).to_have_count(before + 1)
    assert captions(page)[-1] == f"Ada uploaded a photo of a toy {known[0].class_name}"

    assert push.main([f"--pipeline_root={demo.root}", "--rollback"]) == 0
    expect(page.locator("#model")).to_contain_text("Version 1 names", timeout=PATIENCE_MILLISECONDS)
    expect(page.locator(".notice").last).to_have_text("Version 1 of the model answers from here on.")
    page.get_by_label("Send photos").set_input_files(known[0].file)
    expect(page.locator("figure")).to_have_count(before + 2)
    assert captions(page)[-1] == caption("Ada", known[0].class_name)
    assert visitors.errors == []
