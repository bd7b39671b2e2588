from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from components.evaluate.analysis import CANDIDATE, expected_calibration_error, extracts


def histogram(*buckets: tuple[float, float, float]) -> SimpleNamespace:
    """Of (examples, right answers, sum of confidences), as TFMA has it."""
    return SimpleNamespace(
        buckets=[
            SimpleNamespace(
                num_weighted_examples=SimpleNamespace(value=examples),
                total_weighted_label=SimpleNamespace(value=right),
                total_weighted_refined_prediction=SimpleNamespace(value=confidence),
            )
            for examples, right, confidence in buckets
        ]
    )


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    found = expected_calibration_error(histogram((0, 0, 0), (4, 1, 2.0), (5, 5, 4.0), (1, 0, 1.0)))
    # 1.0 too sure in the first bin; 5 of 6 right at 5.0 in the last one, to which a confidence of 1 belongs.
    assert found == pytest.approx((1 + 0) / 10)


def test_one_class_is_given_a_second_one() -> None:
    found = extracts(CANDIDATE, np.array([0, 0]), np.ones((2, 1), np.float32), {})
    np.testing.assert_array_equal(found[tfma.PREDICTIONS_KEY]["classes"], [[1, 0], [1, 0]])


def test_what_is_no_number_has_no_confidence() -> None:
    probabilities = np.array([[np.nan, np.nan], [np.inf, 0], [0.25, 0.75]], np.float32)
    found = extracts(CANDIDATE, np.array([1, 1, 1]), probabilities, {})
    np.testing.assert_array_equal(found[tfma.PREDICTIONS_KEY]["answer"], [[0], [0], [0.75]])
    np.testing.assert_array_equal(found[tfma.LABELS_KEY]["answer"], [[0], [0], [1]])
