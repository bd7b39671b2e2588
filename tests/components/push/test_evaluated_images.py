"""On which images of the test split files are verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError
from components.dataset_reader import read
from components.push.drawn_images import drawn_evenly
from components.push.evaluated_images import EvaluatedImages, read_evaluated_images

MEGAPIXELS = 32 * 32 / 1e6  # of one image


def test_all_images_are_read_if_they_are_few(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    for most in (None, 48 * MEGAPIXELS, 1000 * MEGAPIXELS):
        evaluated = read_evaluated_images(tiny, model, evaluation, tmp_path, most)
        images, labels = next(read(tiny, tiny.splits["test"]).batch(48).as_numpy_iterator())
        assert np.array_equal(evaluated.images, images)
        assert np.array_equal(evaluated.labels, labels)
        assert evaluated.probabilities.shape == (48, 3)


def test_some_of_many_images_come_with_their_own_labels_and_predictions(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    (tmp_path / "all").mkdir()
    everything = read_evaluated_images(tiny, model, evaluation, tmp_path / "all")
    evaluated = read_evaluated_images(tiny, model, evaluation, tmp_path, 20.5 * MEGAPIXELS)
    chosen = drawn_evenly(48, 20)
    assert np.array_equal(evaluated.images, everything.images[chosen])
    assert np.array_equal(evaluated.labels, everything.labels[chosen])
    assert np.array_equal(evaluated.probabilities, everything.probabilities[chosen])
    assert evaluated.images_file.stat().st_size < 21 * 32 * 32 * 3


def test_every_third_image_comes_with_its_own_label_and_prediction(evaluated: EvaluatedImages) -> None:
    third = evaluated.every(3)
    assert np.array_equal(third.images, evaluated.images[::3])
    assert np.array_equal(third.labels, evaluated.labels[::3])
    assert np.array_equal(third.every(2).probabilities, evaluated.probabilities[::6])
    assert np.array_equal(third.every(2).images, evaluated.images[::6])


@pytest.mark.parametrize("period", [1, 2, 7, 10, 25])
def test_images_are_drawn_evenly_also_where_classes_take_turns(period: int) -> None:
    chosen = drawn_evenly(50_000, 2_000)
    assert np.array_equal(chosen, drawn_evenly(50_000, 2_000))
    assert (np.diff(chosen) > 0).all()
    assert np.bincount(chosen // 5_000, minlength=10).tolist() == [200] * 10
    of_class = np.bincount(chosen % period, minlength=period)
    assert (abs(of_class - 2_000 / period) < 4.5 * np.sqrt(2_000 / period)).all()


def test_one_image_of_any_size_is_the_least(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    assert len(read_evaluated_images(tiny, model, evaluation, tmp_path, 1e-9).labels) == 1


def test_evaluation_of_other_images_is_refused(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    fewer = tiny.model_copy(update={"splits": {**tiny.splits, "test": "test[:40]"}})
    with pytest.raises(ComponentError, match="The test split has 40 images, 48 were evaluated"):
        read_evaluated_images(fewer, model, evaluation, tmp_path)
    shifted = tiny.model_copy(update={"splits": {**tiny.splits, "test": "train[1:49]"}})
    with pytest.raises(ComponentError, match=r"differ from the evaluated ones within images \d+ to \d+"):
        read_evaluated_images(shifted, model, evaluation, tmp_path)
    more = evaluation.model_copy(update={"example_count": 40})
    with pytest.raises(ComponentError, match="has predictions for 48 images; 40 were evaluated"):
        read_evaluated_images(fewer, model, more, tmp_path)
