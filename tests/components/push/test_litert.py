"""What is written of a LiteRT model, as far as it can be told without Android's libraries (`test_mediapipe.py`)."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from components.artifacts import Examples, Model
from components.component import ComponentError
from components.push.calibration import CALIBRATION_IMAGES, read_calibration_images
from components.push.drawn_images import drawn_evenly
from components.push.litert import LiteRTVariant, run_litert, save_litert
from components.push.litert_metadata import LABELS, LiteRTTexts, add_metadata
from tests.components.push.networks import Linear, save

TEXTS = LiteRTTexts(("red", "green", "blue"), "A test.", "c0ffee", "A. Author", "MIT")


@pytest.fixture(scope="module")
def images(tiny: Examples) -> np.ndarray:
    return read_calibration_images(tiny, 32, 32)[0]


@pytest.mark.parametrize("variant", get_args(LiteRTVariant))
def test_the_model_inside_is_bit_for_bit_and_byte_by_byte_in_place_what_the_converter_made(
    variant: LiteRTVariant, model: Model, images: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed anew, weights would lie where kernels cannot read them."""
    made: list[bytes] = []
    monkeypatch.setattr("components.push.litert.add_metadata", lambda made_now, _: made.append(made_now) or made_now)
    save_litert(variant, tf.saved_model.load(str(model.saved_model)), TEXTS, folder / "model.tflite", images)
    described = add_metadata(made[0], TEXTS)
    before, after = schema.Model.GetRootAs(made[0]), schema.Model.GetRootAs(described)
    assert described[4:8] == b"TFL3"
    assert after.BuffersLength() == before.BuffersLength() + 1
    shift = {after.Buffers(index)._tab.Pos - before.Buffers(index)._tab.Pos for index in range(before.BuffersLength())}
    assert len(shift) == 1
    assert shift.pop() % 16 == 0
    for name in ("Version", "Description", "SubgraphsLength", "OperatorCodesLength", "SignatureDefsLength"):
        assert getattr(before, name)() == getattr(after, name)()
    assert made[0][8:] in described


def test_metadata_and_labels_are_where_the_format_says_and_repeat(model: Model, folder: Path) -> None:
    file = folder / "model.tflite"
    loaded = tf.saved_model.load(str(model.saved_model))
    save_litert("litert", loaded, TEXTS, file)
    written = file.read_bytes()
    parsed = schema.Model.GetRootAs(written)
    entries = [parsed.Metadata(index) for index in range(parsed.MetadataLength())]
    (metadata,) = (entry for entry in entries if entry.Name() == b"TFLITE_METADATA")
    content = parsed.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()
    assert content[4:8] == b"M001"
    for text in (b"A test.", b"c0ffee", b"A. Author", b"MIT", LABELS.encode()):
        assert text in content
    with zipfile.ZipFile(file) as archive:
        assert archive.read(LABELS) == b"red\ngreen\nblue\n"
        assert archive.getinfo(LABELS).compress_type == zipfile.ZIP_STORED
    save_litert("litert", loaded, TEXTS, file)
    assert file.read_bytes() == written


def test_integers_take_pixels_as_they_are(model: Model, images: np.ndarray, folder: Path) -> None:
    """Also if no image of the training split has a black or a white pixel."""
    dull = np.clip(images, 60, 200)
    file = folder / "model.tflite"
    save_litert("litert_int8", tf.saved_model.load(str(model.saved_model)), TEXTS, file, dull)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_path=str(file))
    (image,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["dtype"], image["quantization"]) == (np.uint8, (1.0, 0))
    assert (probabilities["dtype"], probabilities["quantization"]) == (np.uint8, (1 / 256, 0))
    assert run_litert(file, images).sum(axis=1) == pytest.approx(np.ones(len(images)), abs=0.01)


def test_calibration_images_are_of_the_training_split_and_named(tiny: Examples) -> None:
    images, calibration = read_calibration_images(tiny, 20, 20)
    assert images.shape == (96, 20, 20, 3)
    assert calibration.model_dump() == {"split": "train[:80%]", "images": 96, "seed": 0}
    assert len(drawn_evenly(50_000, CALIBRATION_IMAGES)) == CALIBRATION_IMAGES


def test_integers_without_images_are_refused(model: Model, folder: Path) -> None:
    with pytest.raises(ComponentError, match="litert_int8 needs images of the training split"):
        save_litert("litert_int8", tf.saved_model.load(str(model.saved_model)), TEXTS, folder / "model.tflite")


def test_network_that_cannot_be_converted_is_refused(folder: Path) -> None:
    class Unknown(Linear):
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return super().__call__(tf.math.igamma(images + 1, images))

    save(Unknown(3), TEXTS.class_names, folder / "saved_model")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    with pytest.raises(ComponentError, match=r"LiteRT cannot take this network as litert: .*Igamma"):
        save_litert("litert", loaded, TEXTS, folder / "model.tflite")


@pytest.mark.parametrize("variant", get_args(LiteRTVariant))
def test_a_file_takes_exactly_one_image(variant: LiteRTVariant, model: Model, images: np.ndarray, folder: Path) -> None:
    """Browsers refuse a file that leaves the number of images open; no tensor in it may."""
    file = folder / "model.tflite"
    save_litert(variant, tf.saved_model.load(str(model.saved_model)), TEXTS, file, images)
    graph = schema.Model.GetRootAs(file.read_bytes()).Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    assert [size for tensor in tensors for size in np.ravel(tensor.ShapeSignatureAsNumpy()) if size < 0] == []
    assert graph.Tensors(graph.Inputs(0)).ShapeAsNumpy().tolist() == [1, 32, 32, 3]
    assert graph.Tensors(graph.Outputs(0)).ShapeAsNumpy().tolist() == [1, 3]
    with pytest.raises(ComponentError, match=r"LiteRT cannot run model.tflite: .*Got 28 but expected 32"):
        run_litert(file, images[:, :28])
