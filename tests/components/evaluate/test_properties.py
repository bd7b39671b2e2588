from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.evaluate.properties import applicable, measured, slice_values, stored_features


def test_brightness_contrast_and_size_are_those_of_the_stored_image() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 255
    found = {name: float(value) for name, value in measured(tf.constant(image)).items()}
    assert found == pytest.approx({"brightness": 0.5, "contrast": 0.5, "size": 40})
    green = np.zeros((4, 4, 3), np.uint8)
    green[..., 1] = 255
    assert float(measured(tf.constant(green))["brightness"]) == pytest.approx(0.587)


def test_a_bin_begins_at_its_bound(tiny: Examples) -> None:
    columns = {"brightness": np.array([0, 0.3999, 0.4, 0.6, 1]), "size": np.array([1, 64, 127, 128, 4000])}
    assert slice_values(("brightness", "size"), columns, tiny) == {
        "brightness": ["dark", "dark", "medium", "bright", "bright"],
        "size": ["under 64", "64 to 127", "64 to 127", "128 to 255", "512 and more"],
    }


def test_features_are_told_by_their_names(tiny: Examples) -> None:
    assert stored_features(("brightness", "label"), tiny) == ("label",)
    columns = {"label": np.array([0, 2]), "file": np.array([b"cats/1.jpg", "Hühner/2.jpg".encode()])}
    assert slice_values(("label", "folder"), columns, tiny) == {"label": ["red", "blue"], "folder": ["cats", "Hühner"]}


def test_images_of_one_size_are_not_sliced_by_it(tiny: Examples) -> None:
    assert applicable(("contrast", "size"), tiny) == ("contrast",)
    mixed = tiny.model_copy(update={"image_shape": (None, None, 3)})
    assert applicable(("contrast", "size"), mixed) == ("contrast", "size")
