"""Which images run through which signature; test_push.py runs the process itself."""

from __future__ import annotations

import numpy as np
import pytest

from components.push.fresh_process import SERVED_IMAGES, step


@pytest.mark.parametrize("count", [1, 48, 250, 251, 1000, 10_000])
def test_a_part_of_the_images_spread_over_all_runs_through_serving_default(count: int) -> None:
    chosen = np.arange(count)[:: step("serving_default", count)]
    assert min(count, SERVED_IMAGES // 2) <= len(chosen) <= SERVED_IMAGES
    assert chosen[0] == 0
    assert chosen[-1] >= count - step("serving_default", count)


def test_all_images_run_through_encoded() -> None:
    assert step("encoded", 10_000) == 1
