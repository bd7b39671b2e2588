from __future__ import annotations

from pathlib import Path

from components.artifacts import Examples
from pipeline.report import write_report
from pipeline.report.corrections import correction_words
from tests.pipeline.report.roots import Root


def test_words() -> None:
    assert correction_words({}) == ""
    assert correction_words({"label": 1, "leave_out": 1200, "passed_over": 2}) == (
        "1 photo with another label, 1,200 left out, 2 lines passed over"
    )
    every = correction_words(dict.fromkeys(("keep", "label", "leave_out", "same", "not_same", "passed_over"), 2))
    assert every.count("2 ") == 6


def test_the_page_of_a_run_says_what_was_applied(tiny: Examples, tmp_path: Path) -> None:
    for name, corrections in (("none", {}), ("some", {"label": 3})):
        root = Root(tmp_path / name, tiny.model_copy(update={"corrections": corrections}))
        root.run("20261122-101500-11aa", state="completed", to="normalize")
        page = write_report(root.path, "20261122-101500-11aa").read_text(encoding="utf-8")
        assert ("Corrections by people: 3 photos with other labels." in page) == bool(corrections)
