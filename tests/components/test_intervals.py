from __future__ import annotations

import pytest

from components.intervals import paired_difference, wilson


def test_wilson_gives_the_published_bounds() -> None:
    # R's prop.test(80, 100, correct = FALSE)
    assert wilson(0.8, 100) == pytest.approx((0.71117, 0.86663), abs=1e-5)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_wilson_stays_between_0_and_1_and_never_claims_certainty(fraction: float) -> None:
    low, high = wilson(fraction, 10)
    assert 0 <= low < high <= 1
    assert high - low == pytest.approx(0.2775, abs=1e-4)


def test_a_paired_difference_knows_only_the_images_that_differ() -> None:
    low, high = paired_difference(gained=30, lost=10, count=1000)
    assert (low + high) / 2 == pytest.approx(0.02)
    assert high - low == pytest.approx(2 * 1.959964 * (40 - 0.4) ** 0.5 / 1000)


def test_models_that_agree_everywhere_differ_by_nothing() -> None:
    assert paired_difference(0, 0, 50) == (0, 0)
