"""Every variant passes as it is made, and is caught when its saved file is tampered with."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import coremltools as ct
import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples, Model
from components.component import ComponentError
from components.push import PushConfig, Variant
from components.push.calibration import read_calibration_images
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter
from components.push.verification import verify_export
from tests.components.push.networks import Lifted, Linear, save

CONFIG = PushConfig()
SPEC = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
RECORD = struct.pack("<I", 0xDEADBEEF)


@pytest.fixture(scope="module")
def exporter(tiny: Examples, model: Model) -> Exporter:
    images, _ = read_calibration_images(tiny, 32, 32)
    return Exporter(_source(model.saved_model, model.class_names), CONFIG, images)


@pytest.fixture
def package(exporter: Exporter, folder: Path) -> Path:
    """A saved float16 package."""
    return exporter.save("float16", folder)


@pytest.mark.parametrize("variant", get_args(Variant))
def test_variant_is_verified_as_it_is_made(
    variant: Variant, exporter: Exporter, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    row = verify_export(variant, exporter.save(variant, folder), model, evaluated, PushConfig(max_accuracy_drop=0.2))
    assert row.comparison.images == 48
    assert row.bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if variant in ("float32", "litert", "onnx"):
        assert row.comparison.max_probability_difference < 1e-5


@pytest.mark.parametrize("deployment_target", get_args(PushConfig.model_fields["deployment_target"].annotation))
def test_each_deployment_target_is_verified_and_written_down(
    deployment_target: str, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    config = PushConfig.model_validate({"deployment_target": deployment_target})
    file = Exporter(_source(model.saved_model, model.class_names), config).save("float16", folder)
    assert verify_export("float16", file, model, evaluated, config).comparison.images == 48
    assert ct.utils.load_spec(str(file)).specificationVersion == ct.target[deployment_target].value


def test_neural_network_with_swapped_names_or_a_corrupted_weight_is_caught(
    exporter: Exporter, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    def swap(spec: Any) -> None:
        names = spec.neuralNetworkClassifier.stringClassLabels.vector
        names[0], names[1] = names[1], names[0]

    def corrupt(spec: Any) -> None:
        layer = next(each for each in spec.neuralNetworkClassifier.layers if each.WhichOneof("layer") == "convolution")
        layer.convolution.weights.floatValue[0] *= 2.0**64

    for change, said in ((swap, "names the classes green, red, blue"), (corrupt, "(names|differs|gives)|values reach")):
        file = exporter.save("neuralnetwork", folder)
        spec = ct.utils.load_spec(str(file))
        change(spec)
        file.write_bytes(spec.SerializeToString())
        with pytest.raises(ComponentError, match=said):
            verify_export("neuralnetwork", file, model, evaluated, CONFIG)


def test_corrupted_weight_is_caught(package: Path, model: Model, evaluated: EvaluatedImages) -> None:
    """The largest weight of each tensor: the highest bit of its exponent is flipped."""
    weights = package / WEIGHTS
    intact = weights.read_bytes()
    tensors = list(_float16_tensors(intact))
    assert len(tensors) >= 5
    for start, values in tensors:
        corrupted = bytearray(intact)
        corrupted[start + 2 * int(values.argmax()) + 1] ^= 0x40
        weights.write_bytes(corrupted)
        with pytest.raises(ComponentError, match=r"Classifier.mlpackage (names|differs|gives)|values reach"):
            verify_export("float16", package, model, evaluated, CONFIG)
    weights.write_bytes(intact)
    assert verify_export("float16", package, model, evaluated, CONFIG)


def test_swapped_class_names_are_caught(package: Path, model: Model, evaluated: EvaluatedImages) -> None:
    def swap(spec: Any) -> None:
        names = _argument(spec, "classify", "classes").list.values
        first, second = (names[index].immediateValue.tensor.strings.values for index in (0, 1))
        first[0], second[0] = second[0], first[0]

    _edit(package, swap)
    with pytest.raises(ComponentError, match="names the classes green, red, blue; the model's are red, green, blue"):
        verify_export("float16", package, model, evaluated, CONFIG)


def test_swapped_red_and_blue_are_caught(package: Path, model: Model, evaluated: EvaluatedImages) -> None:
    def swap(spec: Any) -> None:
        spec.description.input[0].type.imageType.colorSpace = ct.proto.FeatureTypes_pb2.ImageFeatureType.BGR

    _edit(package, swap)
    with pytest.raises(ComponentError, match=r"Classifier.mlpackage names another top class .* for \d+ of 48 images"):
        verify_export("float16", package, model, evaluated, CONFIG)


@pytest.mark.parametrize("operation", ["sub", "mul"])
def test_dropped_normalization_is_caught(
    operation: str, package: Path, model: Model, evaluated: EvaluatedImages
) -> None:
    """The mean that is subtracted becomes 0, or the factor that pixels are multiplied with 1."""
    neutral = np.float16(0 if operation == "sub" else 1).tobytes()

    def drop(spec: Any) -> None:
        value = _argument(spec, operation, "y").tensor.bytes
        value.values = neutral * (len(value.values) // 2)

    _edit(package, drop)
    with pytest.raises(ComponentError, match=r"Classifier.mlpackage (names|differs)|values reach"):
        verify_export("float16", package, model, evaluated, CONFIG)


def test_other_image_size_is_caught(package: Path, model: Model, evaluated: EvaluatedImages) -> None:
    def shrink(spec: Any) -> None:
        spec.description.input[0].type.imageType.width = 28

    _edit(package, shrink)
    with pytest.raises(
        ComponentError, match=r"takes images of 32 x 28 pixels \(height x width\); the model's are 32 x 32"
    ):
        verify_export("float16", package, model, evaluated, CONFIG)


def test_truncated_weights_are_caught(package: Path, model: Model, evaluated: EvaluatedImages) -> None:
    weights = package / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:4096])
    with pytest.raises(ComponentError, match=r"Classifier.mlpackage cannot be read back"):
        verify_export("float16", package, model, evaluated, CONFIG)


@pytest.mark.parametrize(
    ("class_names", "side"),
    [(("Kätzchen", "猫", 'a, b: "c"\\'), 32), (("red", "green", "blue"), 20), (tuple(map(str, range(10_000))), 32)],
    ids=["not ASCII", "other size", "10,000 classes"],
)
def test_unusual_models_are_verified(class_names: tuple[str, ...], side: int, model: Model, folder: Path) -> None:
    network = Linear(len(class_names))
    save(network, class_names, folder / "saved_model", side)
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    np.save(folder / "images.npy", images)
    probabilities = network(tf.constant(images, tf.float32)).numpy()
    evaluated = EvaluatedImages(folder / "images.npy", probabilities.argmax(1), probabilities)
    source = _source(folder / "saved_model", class_names, side)
    unusual = model.model_copy(update={"class_names": class_names, "image_height": side, "image_width": side})
    for variant in ("float16", "neuralnetwork", "litert", "onnx"):
        file = Exporter(source, CONFIG).save(variant, folder)
        assert verify_export(variant, file, unusual, evaluated, CONFIG).comparison.agreement == 1


@pytest.mark.parametrize(
    ("variant", "passes"),
    [
        ("float16", False),
        ("neuralnetwork", False),
        ("neuralnetwork_float16", False),
        ("float32", True),
        ("litert", True),
        ("litert_float16", True),
        ("onnx", True),
    ],
)
def test_network_that_loses_its_answer_to_float16_is_refused_where_a_phone_rounds(
    variant: Variant, passes: bool, model: Model, folder: Path
) -> None:
    network = Lifted(3)
    save(network, model.class_names, folder / "saved_model")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (64, 1, 1, 3)) * np.ones((1, 32, 32, 1), np.int64)  # one color each
    np.save(folder / "images.npy", images.astype(np.uint8))
    probabilities = network(tf.constant(images, tf.float32)).numpy()
    evaluated = EvaluatedImages(folder / "images.npy", probabilities.argmax(1), probabilities)
    file = Exporter(_source(folder / "saved_model", model.class_names), CONFIG).save(variant, folder)
    if passes:
        assert verify_export(variant, file, model, evaluated, CONFIG).comparison.max_probability_difference < 1e-3
    else:
        with pytest.raises(ComponentError, match=rf"{file.name} names another top class .* for \d+ of 64 images"):
            verify_export(variant, file, model, evaluated, CONFIG)


def _source(saved_model: Path, class_names: tuple[str, ...], side: int = 32) -> Source:
    loaded = tf.saved_model.load(str(saved_model))
    return Source(loaded, side, side, class_names, version="1", description="A test.", metadata={"lineage": "none"})


def _edit(package: Path, change: Callable[[Any], None]) -> None:
    spec = ct.proto.Model_pb2.Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    change(spec)
    (package / SPEC).write_bytes(spec.SerializeToString())


def _argument(spec: Any, operation: str, name: str) -> Any:
    """The constant that the first such operation takes."""
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    constants = {each.outputs[0].name: each.attributes["val"] for each in block.operations if each.type == "const"}
    binding = next(each for each in block.operations if each.type == operation).inputs[name].arguments[0]
    return (binding.value if binding.HasField("value") else constants[binding.name]).immediateValue


def _float16_tensors(weights: bytes) -> Iterator[tuple[int, np.ndarray]]:
    """Where each lies, and its values: Core ML's weight file holds records of 0xDEADBEEF, type, size and offset."""
    position = weights.find(RECORD)
    while position >= 0:
        _, kind, size, start = struct.unpack_from("<IIQQ", weights, position)
        assert kind == 1  # float16
        yield start, np.frombuffer(weights, np.float16, size // 2, start)
        position = weights.find(RECORD, start + size)
