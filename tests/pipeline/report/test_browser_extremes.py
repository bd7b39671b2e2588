"""Pages of what is odd: hostile names, a thousand classes or one, no images, a run that ended early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Check, Examples
from pipeline.report import write_report
from tests.pipeline.report.conftest import Opener
from tests.pipeline.report.pages import assert_sound, column, value
from tests.pipeline.report.roots import Root, baseline_of, noon, probabilities_for

MEGABYTE = 1_000_000
LABELS = np.arange(48) % 3


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


def test_many_thresholds_stay_small(tiny: Examples, tmp_path: Path, opener: Opener) -> None:
    count, metrics = 1000, ("recall", "precision", "f1", "auc")
    names = tuple(f"n{index:08} greater short-horned lesser panda, Ailurus" for index in range(count))
    figures = dict.fromkeys(("example_count", "accuracy", *metrics), 0.5123456789012346)
    checks = [
        Check(
            metric=metric,
            slice=f"class={name}",
            of="change",
            value=-0.123456789012345,
            interval=(-0.223456789012345, -0.023456789012345),
            bound=">= -0.05",
            p_value=0.0123456789,
            passed=metric != "auc" or name > names[500],
            reason=f"{metric} of class={name} went from 0.6234 in version 12 to 0.4999, -0.1235 (-0.2235 to -0.0235): "
            "it should be at least -0.05, and chance may explain the rest (p = 0.012, 50 images).",
        )
        for metric in metrics
        for name in names
    ]
    labels = np.random.default_rng(0).integers(0, count, 48)
    root = Root(tmp_path, odd(tiny, names))
    changes: dict[str, Any] = {"slices": {f"class={name}": figures for name in names}, "blessed": False}
    before = root.run("old", labels, probabilities_for(labels, count, 0.4, seed=1), **changes)
    assert before is not None
    changes |= {"baseline": baseline_of(before), "checks": tuple(checks), "state": "not blessed"}
    root.run("new", labels, probabilities_for(labels, count, 0.5), minutes=1, **changes)
    path = write_report(tmp_path, "new", noon)
    assert path.stat().st_size < 3 * MEGABYTE
    opened = opener.open(path, width=390)
    assert_sound(opened)
    page = opened.page
    assert page.locator("#checks .wrong").count() == 300
    assert page.locator("#hidden-checks").inner_text() == (
        "3,700 more are left out here, 201 of which failed; evaluation.json has them all."
    )
    assert page.locator("#means li").all_inner_texts() == ["all", *(name[:29] + "..." for name in names[:3])]


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
