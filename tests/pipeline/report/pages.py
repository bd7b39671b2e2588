"""What tests read off a page."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.pipeline.report.conftest import Lookup


def value(page: Page, selector: str) -> float:
    """The exact value behind a rounded one."""
    return float(page.locator(f"{selector} data").first.get_attribute("value") or "nan")


def values(page: Page, table: str) -> list[float]:
    """The first exact value of each row."""
    rows = page.locator(f"{table} tbody tr").all()
    return [float(row.locator("data").first.get_attribute("value") or "nan") for row in rows]


def column(page: Page, table: str, index: int) -> list[str]:
    return page.locator(f"{table} tbody tr td:nth-child({index})").all_inner_texts()


def assert_sound(opened: Lookup) -> None:
    assert opened.errors == []
    assert opened.requests == []
    too_wide = opened.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide == 0
    assert opened.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
