from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.curves import FILE, draw, read_curves, refuse_another
from benchmarks.training_curve import Curve, Point, Stopwatch, follow, judged_steps
from components.artifacts import Examples
from tests.components.train.helpers import quick_config, statistics_of

ABOUT = {"recipe": "small_data", "changes": {}, "dataset": "tiny"}
POINT = {"step": 10, "epoch": 0.1, "seconds": 5.0, "processor_seconds": 9.0, "accuracy": 0.25, "loss": 2.0}


def write(file: Path, *points: dict[str, float], **about: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**ABOUT, **about, "machines": [], "points": points}))


def test_a_training_is_judged_along_the_way_and_learns(tiny: Examples, tmp_path: Path) -> None:
    curve = Curve(ABOUT)
    follow(quick_config(), tiny, statistics_of(tiny), tmp_path, 4, curve)
    assert curve.points[-1].accuracy > 0.9
    assert curve.points[-1].loss < curve.points[0].loss
    assert curve.points[-1].epoch == 6.0
    seconds = [point.seconds for point in curve.points]
    assert seconds == sorted(seconds)
    stored = json.loads((tmp_path / FILE).read_text())
    assert stored["recipe"] == "small_data"
    assert [Point(**point) for point in stored["points"]] == curve.points
    assert stored["machines"][0]["cores"] > 0


def test_a_killed_training_goes_on_to_the_same_curve(tiny: Examples, tmp_path: Path) -> None:
    config, statistics = quick_config(), statistics_of(tiny)
    whole, first, second = Curve(ABOUT), Curve(ABOUT, Stopwatch([ends_after(65), int])), Curve(ABOUT)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    follow(config, tiny, statistics, tmp_path / "whole", 5, whole)
    with pytest.raises(KeyboardInterrupt):
        follow(config, tiny, statistics, tmp_path / "parts", 5, first)
    follow(config, tiny, statistics, tmp_path / "parts", 5, second)
    assert [figures(point) for point in second.points] == [figures(point) for point in whole.points]
    assert len(second.machines) == 2
    assert first.points, "the training was to end after its first point"
    assert second.points[0] == first.points[0]
    assert second.points[-1].seconds >= first.points[0].seconds


def ends_after(calls: int) -> Any:
    """A clock by which a second passes from call to call, until the training is ended."""
    ticks = itertools.count()

    def clock() -> float:
        if (tick := next(ticks)) > calls:
            raise KeyboardInterrupt
        return float(tick)

    return clock


def figures(point: Point) -> tuple[int, float, float]:
    return point.step, point.accuracy, point.loss


def test_the_stopwatch_leaves_out_what_is_done_while_it_is_stopped() -> None:
    now = [100.0]
    stopwatch = Stopwatch([lambda: now[0]])
    stopwatch.set([50.0])
    now[0] = 103.0
    assert stopwatch.read() == [53.0]
    with stopwatch.stopped():
        now[0] = 200.0
    now[0] = 202.0
    assert stopwatch.read() == [55.0]


def test_steps_to_judge_after_lie_in_equal_ratios() -> None:
    assert judged_steps(160, 5) == [10, 20, 40, 80, 160]
    assert judged_steps(6, 5) == [6]
    assert judged_steps(160, 1)[-1] == 160


def test_a_curve_of_other_values_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "small_data" / FILE
    refuse_another(file, ABOUT)
    write(file, POINT, changes={"epochs": 2})
    refuse_another(file, {**ABOUT, "changes": {"epochs": 2}})
    with pytest.raises(SystemExit, match=r'"epochs": 2.*this one has \{"changes": \{\}\}. Name another folder'):
        refuse_another(file, ABOUT)


def test_the_plot_names_each_recipe_with_its_last_figures(tmp_path: Path) -> None:
    write(tmp_path / "tutorial" / FILE, POINT, {**POINT, "seconds": 6000.0, "accuracy": 0.812, "loss": 0.7})
    write(tmp_path / "cifar81" / FILE, {**POINT, "seconds": 42.0, "accuracy": 0.82, "loss": 0.9})
    curves = read_curves(tmp_path)
    assert list(curves) == ["cifar81", "tutorial"]
    draw(curves, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    for text in ("tutorial: 81.2%, 0.700 after 6,000 s", "cifar81: 82.0%, 0.900 after 42 s", "the tutorial's 0.714"):
        assert text in drawn


def test_without_curves_the_plot_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="train a recipe first, with --recipe"):
        read_curves(tmp_path)
