from __future__ import annotations

import numpy as np
import pytest

from components.evaluate.caption import SILENT, choose_confidence, measure


def images(*groups: tuple[int, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Groups of (images, confidence, fraction that is right)."""
    confidence = np.concatenate([np.full(count, value, np.float32) for count, value, _ in groups])
    right = np.concatenate([np.arange(count) < round(fraction * count) for count, _, fraction in groups])
    return confidence, right


def test_the_lowest_confidence_that_is_precise_enough_is_chosen() -> None:
    # 100 of 100, then 190 of 200, then 240 of 300.
    split = images((100, 0.9, 1.0), (100, 0.7, 0.9), (100, 0.5, 0.5))
    assert choose_confidence(*split, 0.95) == pytest.approx(0.6)
    assert choose_confidence(*split, 0.96) == pytest.approx(0.8)
    assert choose_confidence(*split, 0.8) == pytest.approx(0.25)


def test_images_of_one_confidence_are_named_together_or_not_at_all() -> None:
    # The first 90 are right: cut within the group, the precision would be 1.
    assert choose_confidence(*images((100, 0.9, 0.9)), 0.95) == SILENT


def test_a_few_lucky_images_are_not_enough() -> None:
    assert choose_confidence(*images((19, 0.9, 1.0), (81, 0.5, 0.5)), 0.95) == SILENT
    assert choose_confidence(*images((20, 0.9, 1.0), (80, 0.5, 0.5)), 0.95) == pytest.approx(0.7)


def test_what_was_chosen_on_one_split_is_measured_on_the_other() -> None:
    found = measure(images((100, 0.9, 1.0), (100, 0.5, 0.5)), images((50, 0.8, 0.9), (150, 0.3, 0.2)), 0.95)
    assert (found.confidence, found.validation_images) == (pytest.approx(0.7), 200)
    assert (found.precision, found.named_fraction) == (0.9, 0.25)
    assert found.interval is not None
    assert found.interval[0] < 0.9 < found.interval[1]


def test_where_nothing_is_named_there_is_no_precision() -> None:
    found = measure(images((100, 0.9, 0.5)), images((50, 0.8, 0.9)), 0.95)
    assert (found.confidence, found.precision, found.interval, found.named_fraction) == (SILENT, None, None, 0)


def test_a_model_that_is_never_precise_is_silent_however_sure_it_is() -> None:
    """Probabilities of exactly 1 are what saturated networks give."""
    found = measure(images((100, 1.0, 0.5)), images((50, 1.0, 0.5)), 0.95)
    assert (found.confidence > 1, found.named_fraction) == (True, 0)


@pytest.mark.parametrize(
    ("named", "below"), [(1.0, 0.99999), (1.0, 0.99999994), (0.90004, 0.90001), (0.8731, 0.87305), (0.00004, 0.00001)]
)
def test_rounding_does_not_move_the_cut(named: float, below: float) -> None:
    confidence, right = images((50, named, 1.0), (50, below, 0.5))
    chosen = choose_confidence(confidence, right, 0.95)
    assert ((confidence.astype(np.float64) >= chosen) == (np.arange(100) < 50)).all()
    assert ((confidence >= np.float32(chosen)) == (np.arange(100) < 50)).all()
