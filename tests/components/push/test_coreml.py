"""What is written of a Core ML model."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Model
from components.component import Refusal
from components.push import PushConfig, Variant
from components.push.coreml import CoreMLConverter, Source, lineage_metadata, require_written
from tests.components.push.networks import Linear, save


@pytest.fixture
def converter(model: Model) -> CoreMLConverter:
    loaded = tf.saved_model.load(str(model.saved_model))
    source = Source(loaded, 32, 32, model.class_names, version="1", description="A test.", metadata={})
    return CoreMLConverter(source, PushConfig())


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
    with pytest.raises(Refusal, match=r"Core ML cannot take this network: .*'Erfc' not implemented"):
        CoreMLConverter(source, PushConfig()).make("float16")


def test_lineage_is_readable_and_short() -> None:
    code = {f"function_{index}": "0" * 64 for index in range(100)}
    metadata = lineage_metadata(
        {"run_id": "run-1", "artifacts": {"train": {"digest": "12ab", "code": [code], "host": "mine"}}}
    )
    assert metadata["lineage.run_id"] == "run-1"
    assert metadata["lineage.artifacts.train.digest"] == "12ab"
    assert metadata["lineage.artifacts.train.code"].startswith("sha256 ")
    assert "lineage.artifacts.train.host" not in metadata
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
