"""What is written of a Core ML model."""

from __future__ import annotations

import json
import logging
import resource
import warnings
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Model
from components.component import ComponentError
from components.push import PushConfig, Variant
from components.push.coreml import VARIANTS, CoreMLConverter, Source, lineage_metadata, require_written
from components.push.exports import KINDS
from tests.components.push.networks import Linear, save


@pytest.fixture(scope="module")
def converter(model: Model) -> CoreMLConverter:
    loaded = tf.saved_model.load(str(model.saved_model))
    metadata = {"lineage.run_id": "run-1"}
    source = Source(loaded, 32, 32, model.class_names, version="c0ffee", description="A test.", metadata=metadata)
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    return CoreMLConverter(source, PushConfig(author="A. Author", license="MIT"), images)


@pytest.mark.parametrize("variant", VARIANTS)
def test_file_says_what_a_phone_developer_expects_and_opens_without_warnings(
    variant: Variant, converter: CoreMLConverter, model: Model, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / KINDS[variant].file
    converter.save(variant, file)
    caplog.clear()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        description = ct.models.MLModel(str(file), skip_model_load=True).get_spec().description
    assert caplog.records == []
    (image,) = description.input
    assert image.name == "image"
    assert (image.type.imageType.width, image.type.imageType.height) == (32, 32)
    assert image.type.imageType.colorSpace == ct.proto.FeatureTypes_pb2.ImageFeatureType.RGB
    assert image.shortDescription == "RGB image, 32 x 32 pixels (width x height)"
    assert {output.name: output.shortDescription for output in description.output} == {
        "classLabel": "The most likely class",
        "classProbability": "The probability of each class, 0 to 1",
    }
    assert (description.predictedFeatureName, description.predictedProbabilitiesName) == (
        "classLabel",
        "classProbability",
    )
    about = description.metadata
    assert (about.author, about.license, about.versionString, about.shortDescription) == (
        "A. Author",
        "MIT",
        "c0ffee",
        "A test.",
    )
    assert about.userDefined["com.apple.coreml.model.preview.type"] == "imageClassifier"
    assert about.userDefined["lineage.run_id"] == "run-1"


@pytest.mark.parametrize(("channels", "expected"), [(128, [(128, 32, 3, 3)]), (16, [(16, 32, 3, 3), (32, 3, 3, 3)])])
def test_int8_keeps_the_smallest_tensors_in_float16(
    channels: int, expected: list[tuple[int, ...]], folder: Path
) -> None:
    """A first layer of 864 weights, and a second one of 36,864 or of 4,608."""

    class Two(Linear):
        def __init__(self) -> None:
            super().__init__(3)
            random = np.random.default_rng(0)
            self.first = tf.Variable(random.normal(0, 0.1, (3, 3, 3, 32)), dtype=tf.float32)
            self.second = tf.Variable(random.normal(0, 0.1, (3, 3, 32, channels)), dtype=tf.float32)

        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            x = tf.nn.relu(tf.nn.conv2d(images / 255, self.first, 2, "SAME"))
            return super().__call__(tf.nn.conv2d(x, self.second, 2, "SAME")[..., :3])

    save(Two(), ("a", "b", "c"), folder / "saved_model")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    source = Source(loaded, 32, 32, ("a", "b", "c"), version="1", description="A test.", metadata={})
    package = folder / "model.mlpackage"
    CoreMLConverter(source, PushConfig()).save("int8", package)
    (block,) = ct.utils.load_spec(str(package)).mlProgram.functions["main"].block_specializations.values()
    shapes = [
        tuple(size.constant.size for size in operation.outputs[0].type.tensorType.dimensions)
        for operation in block.operations
        if operation.type.startswith("constexpr_")
    ]
    assert sorted(shapes) == expected


@pytest.mark.parametrize("variant", ["float16", "palettized4", "neuralnetwork"])
def test_any_flipped_bit_is_noticed(variant: Variant, converter: CoreMLConverter, folder: Path) -> None:
    model = converter.make(variant)
    file = folder / ("model.mlmodel" if variant == "neuralnetwork" else "model.mlpackage")
    model.save(str(file))
    require_written(model, file)
    random = np.random.default_rng(0)
    written = file if file.is_file() else file / "Data/com.apple.CoreML/weights/weight.bin"
    intact = written.read_bytes()
    for byte in random.integers(len(intact) // 2, len(intact), 20):  # the spec's first bytes hold its structure
        corrupted = bytearray(intact)
        corrupted[byte] ^= 1 << random.integers(8)
        written.write_bytes(corrupted)
        with pytest.raises(Exception, match=r"reads back otherwise|DecodeError|parsing"):
            require_written(model, file)


def test_network_that_cannot_be_converted_is_refused(folder: Path) -> None:
    class Exact(Linear):
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            return super().__call__(tf.nn.gelu(images))

    save(Exact(3), ("a", "b", "c"), folder / "saved_model")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    source = Source(loaded, 32, 32, ("a", "b", "c"), version="1", description="A test.", metadata={})
    with pytest.raises(ComponentError, match=r"Core ML cannot take this network: .*'Erfc' not implemented"):
        CoreMLConverter(source, PushConfig()).make("float16")


def test_an_unknown_variant_is_refused_with_those_that_there_are(converter: CoreMLConverter) -> None:
    with pytest.raises(ComponentError, match=r"Core ML has no variant 'int4'\. Expected one of float16, float32, int8"):
        converter.make("int4")  # type: ignore[arg-type]


def test_lineage_is_readable_and_short() -> None:
    code = {f"function_{index}": "0" * 64 for index in range(100)}
    metadata = lineage_metadata(
        {
            "run_id": "run-1",
            "artifacts": {
                "train": {"digest": "12ab", "code": [code], "folder": "train/12", "build": {"host": "workshop"}}
            },
        }
    )
    assert "workshop" not in json.dumps(metadata)
    assert metadata["lineage.run_id"] == "run-1"
    assert metadata["lineage.artifacts.train.digest"] == "12ab"
    assert metadata["lineage.artifacts.train.code"].startswith("sha256 ")
    assert "lineage.artifacts.train.folder" not in metadata
    assert json.loads(lineage_metadata({"metrics": {"accuracy": 0.5}})["lineage.metrics"]) == {"accuracy": 0.5}


@pytest.mark.parametrize("variant", ["float16", "int8", "neuralnetwork"])
def test_full_disk_is_an_error_of_the_disk(variant: Variant, converter: CoreMLConverter, folder: Path) -> None:
    """No file may grow beyond 6,000 bytes, less than the weights have: coremltools' own temporary ones included."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large|coremltools cannot write its files"):
            converter.save(variant, folder / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
