"""Pages that are opened from disk, and a root with two runs in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from components.artifacts import Evaluation, Examples
from tests.pipeline.report.roots import Root, probabilities_for

FIRST, SECOND = "20261122-101500-11aa", "20261123-024500-4f2a"


class Lookup(NamedTuple):
    """A page in the browser, and what it did there."""

    page: Page
    errors: list[str]  # of the console
    requests: list[str]  # addresses, but the page's own


class Opener:
    """Opens files as a person would who was sent them: from disk, with no network."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def open(self, path: Path, width: int = 1200, *, script: bool = True) -> Lookup:
        """Waits until everything is drawn."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, java_script_enabled=script
        )
        opened = Lookup(context.new_page(), [], [])
        opened.page.on("console", lambda message: opened.errors.append(message.text))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri(), wait_until="networkidle")
        opened.requests[:] = [url for url in opened.requests if url != path.as_uri() and not url.startswith("data:")]
        return opened


@pytest.fixture
def opener(browser: Browser) -> Iterator[Opener]:
    yield Opener(browser)
    for context in browser.contexts:
        context.close()


class TwoRuns(NamedTuple):
    """A root, and what each of its two runs evaluated."""

    root: Root
    before: Evaluation
    after: Evaluation


@pytest.fixture(scope="session")
def two_runs(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    root = Root(tmp_path_factory.mktemp("two_runs"), tiny)
    labels = np.arange(48) % 3
    slices = {"brightness=dark": {"example_count": 12, "accuracy": 0.75}, "brightness=none": {"example_count": 0}}
    before = root.run(FIRST, labels, probabilities_for(labels, 3, 0.5, seed=1), minutes=-60)
    after = root.run(
        SECOND,
        labels,
        probabilities_for(labels, 3, 0.9, seed=2),
        config={"train": {"recipe": "small_data", "epochs": 16}},
        slices=slices,
    )
    assert before is not None
    assert after is not None
    return TwoRuns(root, before, after)
