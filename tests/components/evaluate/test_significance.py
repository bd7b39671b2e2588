from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from components.evaluate.influence import Estimate, mean
from components.evaluate.significance import FigureChange, FractionChange, figure_change, fraction_change, tango


def test_gains_and_losses_are_counted() -> None:
    right, before = np.array([True, True, False, False, True]), np.array([True, False, True, True, True])
    assert fraction_change(right, before) == FractionChange(gained=1, lost=2, images=5)
    assert fraction_change(right, before).difference == pytest.approx(-0.2)


def test_without_a_margin_the_test_is_exact() -> None:
    change = FractionChange(gained=3, lost=14, images=1000)
    assert change.p_below(0) == binomtest(3, 17, alternative="less").pvalue
    assert change.p_above(0) == binomtest(14, 17, alternative="less").pvalue
    assert FractionChange(0, 0, 1000).p_below(0) == 1


def test_tango_gives_the_published_statistic() -> None:
    # Tango 1998, section 5: 44 pairs, of 0 and 1 discordant ones, tested against -0.1.
    assert tango(0, 1, 44, -0.1) == pytest.approx(1.709, abs=2e-3)
    # Against 0 it is McNemar's.
    assert tango(30, 10, 500, 0.0) == pytest.approx(20 / 40**0.5)


def test_a_margin_is_what_may_be_lost() -> None:
    change = FractionChange(gained=40, lost=60, images=1000)  # 2 points worse
    assert change.p_below(-0.02) == pytest.approx(0.5)
    assert change.p_below(-0.05) > 0.99
    assert change.p_below(0.02) < 0.001
    assert change.p_below(-0.005) == pytest.approx(change.p_below(0), abs=0.06)


def test_models_that_agree_everywhere_are_the_same() -> None:
    agreed = FractionChange(0, 0, 1000)
    assert (agreed.difference, agreed.interval) == (0, (0, 0))
    assert agreed.p_below(-0.01) > 0.99


def test_figures_are_compared_by_the_paired_t_test() -> None:
    random = np.random.default_rng(1)
    before = random.exponential(1, 200)
    after = before + random.normal(0.05, 0.3, 200)
    change = figure_change(mean(after), mean(before))
    assert change.p_above(0) == pytest.approx(ttest_rel(after, before, alternative="greater").pvalue, rel=0.02)
    assert change.p_above(0) + change.p_below(0) == pytest.approx(1)
    assert change.interval.low < change.difference < change.interval.high


def test_a_difference_without_noise_needs_no_test() -> None:
    assert FigureChange(0.1, 0.0, 50, 50).p_above(0) == 0
    assert FigureChange(0.0, 0.0, 50, 50).p_above(0) == 1


def test_a_few_images_without_noise_are_no_proof() -> None:
    assert FigureChange(-1.0, 0.0, 29, 29).p_below(0) == 1
    assert FigureChange(-1.0, 0.0, 30, 30).p_below(0) == 0


def test_a_value_of_0_has_no_noise_of_its_own() -> None:
    """However few images it rests on, because a model with more of them would not have got more right."""
    never = Estimate(0.0, np.zeros(500), 2)
    baseline = mean((np.arange(500) % 10 < 9).astype(np.float64))
    change = figure_change(never, baseline)
    assert (change.images, change.baseline_images) == (500, 500)
    assert change.p_below(0) < 1e-6
