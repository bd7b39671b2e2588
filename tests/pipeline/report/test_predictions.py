from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Evaluation
from pipeline.report.predictions import (
    Predictions,
    calibration_bins,
    expected_calibration_error,
    read_predictions,
)
from tests.pipeline.report.roots import evaluate

NAMES = ("cat", "dog", "frog")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.9, 0.0], [0.2, 0.3, 0.5], [0.4, 0.35, 0.25]], np.float32)
LABELS = np.array([0, 2, 2, 1])


def evaluated(folder: Path, labels: np.ndarray, probabilities: np.ndarray) -> Evaluation:
    folder.mkdir(exist_ok=True)
    return evaluate(folder, NAMES, labels, probabilities, {})


def read(folder: Path, labels: np.ndarray, probabilities: np.ndarray) -> Predictions:
    predictions = read_predictions(evaluated(folder, labels, probabilities))
    assert predictions is not None
    return predictions


def test_shards_are_read_in_the_order_of_the_split(tmp_path: Path) -> None:
    predictions = read(tmp_path / "a", LABELS, PROBABILITIES)
    assert predictions.labels.tolist() == [0, 2, 2, 1]
    assert predictions.predicted.tolist() == [0, 1, 2, 0]
    assert predictions.confidence == pytest.approx([0.7, 0.9, 0.5, 0.4])
    assert predictions.label_probability == pytest.approx([0.7, 0.0, 0.5, 0.35])


def test_the_most_confident_mistake_comes_first(tmp_path: Path) -> None:
    predictions = read(tmp_path / "a", LABELS, PROBABILITIES)
    assert predictions.confident_mistakes(10).tolist() == [1, 3]
    assert predictions.confident_mistakes(1).tolist() == [1]


def test_the_least_certain_image_comes_first_right_or_wrong(tmp_path: Path) -> None:
    assert read(tmp_path / "a", LABELS, PROBABILITIES).least_certain(3).tolist() == [3, 2, 0]


def test_no_images_are_no_predictions(tmp_path: Path) -> None:
    assert read_predictions(evaluated(tmp_path / "a", np.array([], int), np.zeros((0, 3)))) is None


def test_what_is_no_number_is_no_confidence(tmp_path: Path) -> None:
    predictions = read(tmp_path / "a", LABELS, np.full((4, 3), np.nan))
    assert predictions.confidence.tolist() == [0, 0, 0, 0]
    assert calibration_bins(predictions)[0].images == 4


def test_bins_hold_every_image_once_the_certain_ones_too() -> None:
    confidence = np.array([0.0, 0.05, 0.1, 0.55, 1.0], np.float32)
    right = np.array([0, 0, 1, 1, 1])
    bins = calibration_bins(Predictions(right, np.ones(5, int), confidence, confidence), bin_count=10)
    assert [each.images for each in bins] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert bins[0].accuracy == 0
    assert bins[9] == pytest.approx((0.9, 1.0, 1, 1.0, 1.0))


def test_the_calibration_error_is_the_weighted_gap() -> None:
    # Four images at 0.8, of which two are right; one at 0.3, which is right.
    confidence = np.array([0.8, 0.8, 0.8, 0.8, 0.3], np.float32)
    labels = np.array([1, 1, 0, 0, 1])
    bins = calibration_bins(Predictions(labels, np.ones(5, int), confidence, confidence))
    assert expected_calibration_error(bins) == pytest.approx(0.8 * 0.3 + 0.2 * 0.7)
