from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate import ACCURACY, DISCORDANT, RULES, Split, lost_in_small_steps, refused_after


def test_models_differ_as_much_as_two_seeds_do() -> None:
    split = Split.draw(200_000, np.random.default_rng(1))
    one, other, worse = split.model(), split.model(), split.model(0.02)
    assert one.mean() == pytest.approx(ACCURACY, abs=0.005)
    assert (one != other).mean() == pytest.approx(DISCORDANT, abs=0.005)
    assert other.mean() - worse.mean() == pytest.approx(0.02, abs=0.004)


def test_a_maximum_over_noise_is_corrected_for_and_still_refuses_a_loss() -> None:
    gate, best = (refused_after(RULES[name], 1000, (30,), 60)[0] for name in ("gate", "best, uncorrected"))
    assert gate[0] < 0.1 < 0.2 < best[0]
    assert gate[2] > 0.3


def test_small_losses_add_up_only_against_the_latest_version() -> None:
    lost = {name: lost_in_small_steps(rule, 1000, 0.005, 5) for name, rule in RULES.items()}
    assert lost["gate"] < 0.07 < 0.1 < lost["latest"]
