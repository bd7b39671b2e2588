from __future__ import annotations

import numpy as np
import pytest

from components.train.class_balance import class_weights


@pytest.mark.parametrize(
    ("class_balance", "weights"), [(0.0, [1, 1, 1]), (0.5, [0.7, 1.4, 2.8]), (1.0, [0.5, 2, 8])], ids=str
)
def test_rare_classes_weigh_more_and_the_mean_over_images_stays(class_balance: float, weights: list[float]) -> None:
    counts = np.array([16, 4, 1])
    found = class_weights(counts, class_balance)
    np.testing.assert_allclose(found / found[0], np.array(weights) / weights[0])
    assert (found @ counts) / counts.sum() == pytest.approx(1)


def test_a_class_without_images_has_a_finite_weight() -> None:
    np.testing.assert_allclose(class_weights([2, 0, 2], 1.0), [1, 2, 1])
