from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.train import RunFigures, describe, judge, table, train_once
from benchmarks.training_steps import measure_steps, training_flop
from components.artifacts import Examples
from components.train.training import build_network
from tests.components.train.helpers import quick_config, statistics_of

RUNS = [RunFigures(0, 0.82, 0.83, 50.0, 4.0, 1500.0, 1300.0), RunFigures(1, 0.80, 0.81, 60.0, 4.0, 1300.0, 1300.0)]


def test_a_training_is_judged_on_images_that_it_has_not_seen(tiny: Examples, tmp_path: Path) -> None:
    run = train_once(quick_config(random_seed=3), tiny, statistics_of(tiny), tmp_path)
    assert run.seed == 3
    assert run.single_view_accuracy >= 0.95
    assert run.mirrored_accuracy >= 0.95
    assert run.training_seconds > 0
    assert judge(tmp_path / "model" / "saved_model", tiny)[:2] == (run.single_view_accuracy, run.mirrored_accuracy)


def test_flop_are_counted_from_the_layers(tiny: Examples) -> None:
    network = build_network(quick_config(), statistics_of(tiny).splits["train"], 32, 32, 3)
    whitening = 31**2 * 24 * 12
    blocks = [31**2 * 8 * 9 * 24 + 15**2 * 8 * 9 * 8, 15**2 * 8 * 9 * 8 + 7**2 * 8 * 9 * 8]
    blocks += [7**2 * 16 * 9 * 8 + 3**2 * 16 * 9 * 16]
    head = 16 * 3
    assert training_flop(network, 32, 32) == 2 * whitening + 6 * (sum(blocks) + head)


def test_steps_are_measured_beside_the_machine(tiny: Examples) -> None:
    figures = measure_steps(quick_config(), tiny, statistics_of(tiny), seconds=0.1)
    assert figures.gflop_per_second == pytest.approx(figures.images_per_second * figures.gflop_per_image)
    assert 0 < figures.rate_fraction < 1
    assert f"of the machine's {figures.precision} matrix product" in describe("small_data", figures)


def test_the_rate_is_compared_with_products_of_the_same_precision(tiny: Examples) -> None:
    config = quick_config(precision="float32")
    figures = measure_steps(config, tiny, statistics_of(tiny), seconds=0.1)
    assert figures.precision == "float32"
    assert figures.float32_gflop_per_second > 0
    assert figures.bfloat16_gflop_per_second > 0


def test_the_table_has_means_and_counts_who_reached_the_target() -> None:
    shown = table(RUNS, 0.812)
    assert "| mean | 81.00 % | 82.00 % | 55.0 | 4.0 | 1,400 | 1,300 |" in shown
    assert f"{100 * np.std([0.82, 0.80], ddof=1):.2f} points" in shown
    assert "1 of 2 runs reached 81.2 % in single view" in shown
