from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from components.component import ComponentError
from components.evaluate.prediction import Shard, load_classifier, not_finite_count, predict
from tests.components.evaluate import classifiers


def shard_of(examples: Examples, folder: Path, **save: object) -> Shard:
    logits = save.pop("logits", classifiers.by_two_pixels)
    model = classifiers.save(folder / "model", examples.class_names, logits, **save)
    return Shard(examples, model, "test[3:13]", batch_size=4, file=folder / "00000-of-00001.npz")


def test_what_is_predicted_is_kept_in_the_stored_order(tiny: Examples, tmp_path: Path) -> None:
    shard = shard_of(tiny, tmp_path)
    labels, probabilities, *_ = predict(shard)
    assert labels.tolist() == [index % 3 for index in range(3, 13)]
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    kept = np.load(shard.file)
    np.testing.assert_array_equal(kept["label"], labels)
    np.testing.assert_array_equal(kept["probabilities"], probabilities)


def test_done_twice_it_is_the_same_file(tiny: Examples, tmp_path: Path) -> None:
    shard = shard_of(tiny, tmp_path)
    predict(shard)
    first = shard.file.read_bytes()
    time.sleep(2.1)  # zip archives know the time to two seconds
    predict(shard)
    assert shard.file.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [shard.file.name]


def test_images_are_resized_to_what_the_model_takes(tiny: Examples, tmp_path: Path) -> None:
    labels, probabilities, *_ = predict(shard_of(tiny, tmp_path, size=(8, 16)))
    # Shrunk four times, the noise is averaged out.
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)


def test_a_model_is_loaded_once(tiny: Examples, tmp_path: Path) -> None:
    folder = shard_of(tiny, tmp_path).model.saved_model
    assert load_classifier(folder) is load_classifier(folder)


def test_logits_are_no_probabilities(tiny: Examples, tmp_path: Path) -> None:
    with pytest.raises(
        ComponentError, match=r"that add up to .* no probabilities\. Does the model end with a softmax\?"
    ):
        predict(shard_of(tiny, tmp_path, softmax=False))


def test_a_label_without_a_class_is_refused(tiny: Examples, tmp_path: Path) -> None:
    shard = shard_of(
        tiny.model_copy(update={"class_names": ("red", "green")}), tmp_path, logits=classifiers.always(0, 2)
    )
    with pytest.raises(ComponentError, match="Label 2 in the test split names no class: expected 0 to 1"):
        predict(shard)


def test_rows_with_a_value_that_is_no_number_are_counted() -> None:
    probabilities = np.array([[0.5, 0.5], [np.nan, 0.5], [np.inf, np.nan], [1, 0]], np.float32)
    assert not_finite_count(probabilities) == 2
