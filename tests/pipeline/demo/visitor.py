"""Somebody who has the page open and lets it caption photos on the device."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from pipeline.demo.__main__ import PACKAGES
from tests.pipeline.demo.conftest import Demo

PATIENCE_MILLISECONDS = 60_000
needs_litert = pytest.mark.skipif(
    not (PACKAGES / "node_modules").is_dir(), reason="LiteRT's WebAssembly is not here: `make on-device` fetches it"
)


class Answer(NamedTuple):
    """What is said of a photo."""

    probabilities: dict[str, float]  # the most likely first
    noun: str | None


class Visitor:
    """A page in which captions are made on the device, and what it sent."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.page, self.sent, self.elsewhere, self.errors = page, list[str](), list[str](), list[str]()
        page.on("request", lambda request: request.method != "GET" and self.sent.append(request.url))
        page.on("request", lambda request: request.url.startswith(demo.url) or self.elsewhere.append(request.url))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(demo.url)
        page.get_by_label("You are").fill("Ada")
        page.get_by_label("on this device").check()

    def note(self, text: str) -> None:
        expect(self.page.locator("#where-note")).to_contain_text(text, timeout=PATIENCE_MILLISECONDS)

    def caption(self, photo: Path) -> Answer:
        figures = self.page.locator("figure:has(.local)")  # the server's are on the page too
        before = figures.count()
        self.page.get_by_label("Send photos").set_input_files(photo)
        expect(figures).to_have_count(before + 1, timeout=PATIENCE_MILLISECONDS)
        found = figures.last.evaluate(
            """figure => [...figure.querySelectorAll("tr")].map(row =>
              [row.querySelector("th").textContent, row.querySelector("i").style.getPropertyValue("--share")])"""
        )
        said = figures.last.locator("figcaption").inner_text()
        shares = {name: float(share.rstrip("%")) / 100 for name, share in found}
        return Answer(shares, said.removeprefix("A photo of ") if said != "A photo" else None)
