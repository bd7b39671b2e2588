from __future__ import annotations

import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluate.analysis import CANDIDATE, extracts


def test_one_class_is_given_a_second_one() -> None:
    found = extracts(CANDIDATE, np.array([0, 0]), np.ones((2, 1), np.float32), {})
    np.testing.assert_array_equal(found[tfma.PREDICTIONS_KEY], [[1, 0], [1, 0]])
