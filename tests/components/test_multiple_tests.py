from __future__ import annotations

import math

import pytest

from components.multiple_tests import holm


def test_holm_gives_the_published_values() -> None:
    # R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_a_p_value_that_is_no_number_is_no_pass() -> None:
    assert holm([math.nan]) == [0]
