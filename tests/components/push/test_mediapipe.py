"""MediaPipe's real image classifier in Python and in Chromium: `make test-mediapipe` installs both.

The one wants a Python environment of its own, which MEDIAPIPE names; the other a package of npm.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Error

from benchmarks.client_programs.chromium import MEDIAPIPE, PACKAGES, MediaPipePage
from benchmarks.client_programs.python_mediapipe import PYTHON, classify
from components.artifacts import Examples, Model
from components.push import PushConfig, Variant
from components.push.calibration import read_calibration_images
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter, predict
from components.push.litert_metadata import METADATA_NAME

in_python = pytest.mark.skipif(not PYTHON, reason="asked for by `make test-mediapipe`")
in_chromium = pytest.mark.skipif(
    not (PACKAGES / MEDIAPIPE).is_dir(), reason="MediaPipe's WebAssembly is not here: `make test-mediapipe` fetches it"
)
every_variant = pytest.mark.parametrize("variant", ["litert", "litert_float16", "litert_int8"])
NAMES = ("röt", "grün 2", "b,lue")
# To whom MediaPipe reports in browsers how often and how fast it is used. It answers as well where it cannot.
TOLD = {"odml.pa.googleapis.com"}


@pytest.fixture(scope="module")
def exporter(tiny: Examples, model: Model) -> Exporter:
    source = Source(tf.saved_model.load(str(model.saved_model)), 32, 32, NAMES, "1", "A test.", {})
    images, _ = read_calibration_images(tiny, 32, 32)
    return Exporter(source, PushConfig(), images)


@pytest.fixture
def pixels(evaluated: EvaluatedImages) -> NDArray[np.uint8]:
    return np.array(evaluated.images[:6])


@pytest.fixture
def photos(pixels: NDArray[np.uint8], folder: Path) -> list[Path]:
    """The same images, as files."""
    photos = [folder / f"{index}.png" for index in range(len(pixels))]
    for image, photo in zip(pixels, photos, strict=True):
        Image.fromarray(image).save(photo)
    return photos


@pytest.fixture
def page(browser: Browser) -> Iterator[MediaPipePage]:
    page = MediaPipePage(browser)
    yield page
    page.close()
    assert {urlsplit(address).hostname for address in page.refused} <= TOLD


@in_python
@every_variant
def test_mediapipe_takes_the_file_as_it_is_and_says_what_was_verified(
    variant: Variant, exporter: Exporter, pixels: NDArray[np.uint8], photos: list[Path], folder: Path
) -> None:
    file = exporter.save(variant, folder)
    answer = classify(file, photos, NAMES)
    assert answer.probabilities == pytest.approx(predict(file, pixels, NAMES), abs=0.005)


@in_chromium
@every_variant
def test_so_does_mediapipe_in_chromium(
    variant: Variant,
    exporter: Exporter,
    pixels: NDArray[np.uint8],
    photos: list[Path],
    page: MediaPipePage,
    folder: Path,
) -> None:
    file = exporter.save(variant, folder)
    answer = page.classify(file, photos, NAMES)
    assert answer == pytest.approx(predict(file, pixels, NAMES), abs=0.005)


@in_chromium
def test_a_page_says_why_mediapipe_refuses_a_file(
    exporter: Exporter, photos: list[Path], page: MediaPipePage, folder: Path
) -> None:
    file = exporter.save("litert", folder)
    bare = folder / "bare.tflite"
    bare.write_bytes(file.read_bytes().replace(METADATA_NAME.encode(), METADATA_NAME.lower().encode()))
    with pytest.raises(Error, match="NormalizationOptions metadata"):
        page.classify(bare, photos, NAMES)
    assert page.classify(file, photos, NAMES).shape == (len(photos), len(NAMES))
