"""MediaPipe's real image classifier, which wants an environment of its own: `make test-mediapipe` installs one.

MEDIAPIPE names its Python.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.artifacts import Examples, Model
from components.push import PushConfig, Variant
from components.push.calibration import read_calibration_images
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter, predict

MEDIAPIPE = os.environ.get("MEDIAPIPE")
pytestmark = pytest.mark.skipif(not MEDIAPIPE, reason="asked for by `make test-mediapipe`")
PROGRAM = Path(__file__).with_name("classify_with_mediapipe.py")


def classified(model: Path, images: list[Path]) -> list[dict[str, float]]:
    """The score of each class, by name, image by image."""
    command = [str(MEDIAPIPE), str(PROGRAM), str(model), *map(str, images)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def exporter(tiny: Examples, model: Model) -> Exporter:
    source = Source(tf.saved_model.load(str(model.saved_model)), 32, 32, ("röt", "grün 2", "b,lue"), "1", "A test.", {})
    images, _ = read_calibration_images(tiny, 32, 32)
    return Exporter(source, PushConfig(), images)


@pytest.mark.parametrize("variant", ["litert", "litert_float16", "litert_int8"])
def test_mediapipe_takes_the_file_as_it_is_and_says_what_was_verified(
    variant: Variant, exporter: Exporter, evaluated: EvaluatedImages, folder: Path
) -> None:
    file = exporter.save(variant, folder)
    pixels = np.array(evaluated.images[:6])
    images = [folder / f"{index}.png" for index in range(len(pixels))]
    for image, path in zip(pixels, images, strict=True):
        Image.fromarray(image).save(path)
    names = ("röt", "grün 2", "b,lue")
    verified = predict(file, pixels, names)
    for scores, probabilities in zip(classified(file, images), verified, strict=True):
        assert [scores[name] for name in names] == pytest.approx(probabilities, abs=0.005)
