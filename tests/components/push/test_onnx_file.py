"""An ONNX file says what a server expects, answers as the model, and is caught when it is changed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from components.artifacts import Model
from components.component import ComponentError
from components.push import Push, PushConfig
from components.push.card import Preprocessing
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter
from components.push.onnx_file import OPSET, run_onnx, save_onnx
from components.push.onnx_packages import PACKAGES
from components.push.verification import verify_export
from tests.components.push.networks import Linear, save

CONFIG = PushConfig(variants=("onnx",), author="Ä. Author", license="MIT")


@pytest.fixture(scope="module")
def source(model: Model) -> Source:
    loaded = tf.saved_model.load(str(model.saved_model))
    return Source(loaded, 32, 32, model.class_names, "c0ffee", "A test.", metadata={"lineage.run_id": "7"})


@pytest.fixture(scope="module")
def written(source: Source, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file as it is made, once."""
    return Exporter(source, CONFIG).save("onnx", tmp_path_factory.mktemp("written")).read_bytes()


@pytest.fixture
def file(written: bytes, folder: Path) -> Path:
    path = folder / "Classifier.onnx"
    path.write_bytes(written)
    return path


def test_file_says_what_a_server_expects(written: bytes, source: Source) -> None:
    made = onnx.load_from_string(written)
    described = {each.key: each.value for each in made.metadata_props}
    assert json.loads(described["class_names"]) == list(source.class_names)
    assert json.loads(described["preprocessing"]) == Preprocessing().model_dump()
    assert (described["image_height"], described["image_width"]) == ("32", "32")
    assert described["normalization"].startswith("inside the graph")
    assert described["Image.BitmapPixelFormat"] == "Rgb8"
    assert described["Image.NominalPixelRange"] == "NominalRange_0_255"
    assert (described["model_author"], described["model_license"]) == ("Ä. Author", "MIT")
    assert (described["version"], described["lineage.run_id"], made.doc_string) == ("c0ffee", "7", "A test.")
    assert {each.version for each in made.opset_import if not each.domain} == {OPSET} == {15}
    assert made.ir_version == 8  # later ones are refused by runtimes that know this opset


def test_pixels_go_in_as_they_are_and_any_number_of_them(written: bytes) -> None:
    graph = onnx.load_from_string(written).graph
    assert [_signature(value) for value in graph.input] == [("image", onnx.TensorProto.UINT8, ["n", 32, 32, 3])]
    assert [_signature(value) for value in graph.output] == [
        ("probabilities", onnx.TensorProto.FLOAT, ["n", 3]),
        ("class_id", onnx.TensorProto.INT64, ["n"]),
    ]


def test_card_names_the_opset(file: Path, model: Model, evaluated: EvaluatedImages) -> None:
    row = verify_export("onnx", file, model, evaluated, CONFIG)
    assert (row.file, row.weights, row.opset) == ("Classifier.onnx", "float32", OPSET)
    assert row.comparison.max_probability_difference < 1e-5


def test_changed_file_is_caught(file: Path, written: bytes, model: Model, evaluated: EvaluatedImages) -> None:
    for change, said in (
        (_swap_names, "names the classes green, red, blue; the model's are red, green, blue"),
        (_forget_names, "The class names in Classifier.onnx cannot be read back: 'class_names'"),
        (_garble_names, "The class names in Classifier.onnx cannot be read back: Expecting value"),
        (_corrupt_weight, r"Classifier.onnx (names|differs|gives)"),
        (_reverse_class_id, r"class_id is not that of the most probable class for \d+ of 48 images"),
        (_shrink_input, "ONNX Runtime cannot run Classifier.onnx: .*Got: 32 Expected: 28"),
    ):
        made = onnx.load_from_string(written)
        change(made)
        file.write_bytes(made.SerializeToString())
        with pytest.raises(ComponentError, match=said):
            verify_export("onnx", file, model, evaluated, CONFIG)


@pytest.mark.parametrize("damaged", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[::-1]])
def test_damaged_file_is_refused(
    damaged: Callable[[bytes], bytes], file: Path, written: bytes, model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(damaged(written))
    with pytest.raises(ComponentError, match=r"ONNX Runtime cannot run Classifier.onnx: `.*`\. Leave the variant"):
        run_onnx(file, np.zeros((1, 32, 32, 3), np.uint8), model.class_names)
    assert capfd.readouterr() == ("", "")


def test_file_that_the_disk_does_not_hold_is_refused(source: Source) -> None:
    with pytest.raises(ComponentError, match="null was written, but reads back otherwise: is the disk full"):
        save_onnx(source, CONFIG, Path(os.devnull))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda x: tf.math.igamma(x + 1, x), "tf2onnx knows no way to write Igamma"),
        (lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: tf.math.lgamma(x)), "No Op registered for Lgamma"),
    ],
    ids=["unknown", "unknown inside of a branch"],
)
def test_network_that_cannot_be_converted_is_refused(
    layer: Callable[[tf.Tensor], tf.Tensor], said: str, folder: Path
) -> None:
    class Unknown(Linear):
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return super().__call__(layer(images))

    network = Unknown(3)
    save(network, ("a", "b", "c"), folder / "saved_model")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    with pytest.raises(ComponentError, match=rf"ONNX cannot take this network: .*{said}.* Leave the variant onnx out"):
        save_onnx(Source(loaded, 32, 32, ("a", "b", "c"), "1", "", {}), CONFIG, folder / "Classifier.onnx")
    assert not (folder / "Classifier.onnx").exists()


def test_network_that_no_file_can_hold_is_refused_before_it_is_converted(
    source: Source, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(4 * int(np.prod(each.shape)) for each in source.loaded.signatures["pixels"].variables)
    monkeypatch.setattr("components.push.onnx_file.MAX_BYTES", size - 1)
    with pytest.raises(
        ComponentError, match=rf"weights are {size:,} bytes, and an ONNX file holds at most {size - 1:,}"
    ):
        save_onnx(source, CONFIG, folder / "Classifier.onnx")


def test_other_programs_log_as_before(source: Source, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its import tf2onnx silences TensorFlow, by the environment: also in processes that start later."""
    for name in [name for name in sys.modules if name.startswith("tf2onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    save_onnx(source, CONFIG, folder / "Classifier.onnx")
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"


@pytest.mark.parametrize("missing", PACKAGES)
def test_missing_package_is_refused_in_the_plan(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it was not installed
    with pytest.raises(ComponentError, match=rf"needs {missing}, not installed here. Run `pip install {missing}`, or"):
        Push(CONFIG).fingerprint(tmp_path, {})
    assert Push(PushConfig()).fingerprint(tmp_path, {}) == ""


def _signature(value: Any) -> tuple[str, int, list[str | int]]:
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [each.dim_param or each.dim_value for each in tensor.shape.dim]


def _set_names(made: Any, text: str) -> None:
    next(each for each in made.metadata_props if each.key == "class_names").value = text


def _swap_names(made: Any) -> None:
    _set_names(made, '["green", "red", "blue"]')


def _garble_names(made: Any) -> None:
    _set_names(made, "green, red, blue")


def _forget_names(made: Any) -> None:
    kept = [each for each in made.metadata_props if each.key != "class_names"]
    del made.metadata_props[:]
    made.metadata_props.extend(kept)


def _corrupt_weight(made: Any) -> None:
    tensor = max(made.graph.initializer, key=lambda each: np.prod(each.dims))
    values = np.array(onnx.numpy_helper.to_array(tensor))
    values.flat[values.argmax()] *= 2.0**64
    tensor.raw_data = values.tobytes()


def _reverse_class_id(made: Any) -> None:
    next(each for each in made.graph.node if each.op_type == "ArgMax").op_type = "ArgMin"


def _shrink_input(made: Any) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 28
