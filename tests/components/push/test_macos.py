"""What is done with the outputs of Core ML, here given by hand: Core ML itself is on macOS only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from PIL import Image

from components.component import ComponentError
from components.push.exports import predict

IMAGES = np.zeros((2, 4, 6, 3), np.uint8)
IMAGES[1, ..., 0] = 255


class AsOnMacOS:
    """Says how red the image is."""

    def __init__(self, path: str) -> None:
        assert path == "Classifier.mlpackage"

    def predict(self, inputs: dict[str, Image.Image]) -> dict[str, Any]:
        image = inputs["image"]
        assert (image.mode, image.size) == ("RGB", (6, 4))
        red = image.getpixel((0, 0))[0] / 255
        return {"classLabel": "red" if red > 0.5 else "other", "classProbability": {"red": red, "other": 1 - red}}


@pytest.fixture(autouse=True)
def _on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ct.models, "MLModel", AsOnMacOS)


def test_probabilities_are_in_the_order_of_the_models_classes() -> None:
    probabilities = predict(Path("Classifier.mlpackage"), IMAGES, ("other", "red"))
    np.testing.assert_array_equal(probabilities, np.float32([[1, 0], [0, 1]]))


def test_other_classes_are_refused() -> None:
    with pytest.raises(
        ComponentError, match=r"Classifier.mlpackage names the classes red, other; the model's are other, green"
    ):
        predict(Path("Classifier.mlpackage"), IMAGES, ("other", "green"))
