"""A LiteRT file whose labels or weights are changed is caught."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pytest
import tensorflow as tf

from components.artifacts import Model
from components.component import ComponentError
from components.push import PushConfig
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter
from components.push.verification import verify_export

CONFIG = PushConfig()


@pytest.fixture(scope="module")
def exporter(model: Model) -> Exporter:
    loaded = tf.saved_model.load(str(model.saved_model))
    return Exporter(Source(loaded, 32, 32, model.class_names, version="1", description="A test.", metadata={}), CONFIG)


def test_litert_labels_that_are_not_the_models_are_caught(
    exporter: Exporter, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    file = exporter.save("litert", folder)
    intact = file.read_bytes()
    assert intact.count(b"red\ngreen\nblue\n") == 1
    for changed, said in (
        (_with_labels(intact, "green\nred\nblue\n"), "names the classes green, red, blue; the model's are red,"),
        (_with_labels(intact, None), r"The labels in Classifier.tflite cannot be read back: .*labels.txt"),
        (intact[: len(intact) // 2], "The labels in Classifier.tflite cannot be read back: .*not a zip file"),
        (intact[: intact.index(b"PK")], "The labels in Classifier.tflite cannot be read back: .*not a zip file"),
        (intact.replace(b"red\ngreen", b"rad\ngreen"), "The labels in Classifier.tflite cannot be read back: .*CRC"),
    ):
        file.write_bytes(changed)
        with pytest.raises(ComponentError, match=said):
            verify_export("litert", file, model, evaluated, CONFIG)


def test_litert_with_a_corrupted_weight_is_caught(
    exporter: Exporter, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    file = exporter.save("litert", folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_path=str(file))
    index = next(each["index"] for each in interpreter.get_tensor_details() if list(each["shape"]) == [16, 3, 3, 16])
    weights = interpreter.get_tensor(index)
    corrupted = weights.copy()
    corrupted.flat[corrupted.argmax()] *= 2.0**64
    intact = file.read_bytes()
    assert intact.count(weights.tobytes()) == 1
    file.write_bytes(intact.replace(weights.tobytes(), corrupted.tobytes()))
    with pytest.raises(ComponentError, match=r"Classifier.tflite (names|differs|gives)"):
        verify_export("litert", file, model, evaluated, CONFIG)


def _with_labels(model: bytes, text: str | None) -> bytes:
    """The model with another archive behind it: of the labels, or of something else."""
    file = io.BytesIO(model[: model.index(b"PK\3\4")])
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("other.txt" if text is None else "labels.txt", text or "")
    return file.getvalue()
