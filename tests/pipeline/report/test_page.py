from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Examples
from pipeline.report import write_report
from tests.pipeline.report.roots import Root, noon


@pytest.mark.parametrize("hard_epochs", [(), (3, 4, 6)])
def test_a_page_says_which_epochs_left_easy_images_out(
    tiny: Examples, tmp_path: Path, hard_epochs: tuple[int, ...]
) -> None:
    root = Root(tmp_path, tiny)
    root.hard_epochs = hard_epochs
    root.run("one", to="train", state="completed")

    text = write_report(tmp_path, "one", noon).read_text()

    assert ("Easy images were left out of epochs 3, 4, 6:" in text) == bool(hard_epochs)
