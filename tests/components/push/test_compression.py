"""Tensors keep their precision, and the search for the smallest file keeps its bound."""

from __future__ import annotations

from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.artifacts import Examples, Model
from components.component import ComponentError
from components.push import PushConfig
from components.push.calibration import read_search_images
from components.push.compression import PALETTE4, PRECISIONS, Precision, Tensor, compress_each, weight_tensors
from components.push.coreml import CoreMLConverter, Source
from components.push.evaluated_images import EvaluatedImages
from components.push.executor import Executor
from components.push.exports import Exporter, predict
from components.push.mlprogram import read_mlprogram
from components.push.smallest import NOTHING_LARGE, SearchImages, describe, likely_drop
from components.push.trial import Trial, squared_changes, weights
from components.push.verification import export
from tests.components.push.networks import Linear, save

CONFIG = PushConfig(deployment_target="iOS18", max_accuracy_drop=0.3)
NOISE = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def source(model: Model) -> Source:
    loaded = tf.saved_model.load(str(model.saved_model))
    return Source(loaded, 32, 32, model.class_names, version="1", description="A test.", metadata={})


@pytest.fixture(scope="module")
def float16(source: Source) -> ct.models.MLModel:
    return CoreMLConverter(source, CONFIG).make("float16")


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda precision: precision.text)
def test_each_precision_is_stored_as_it_says_and_read_back(precision: Precision, float16: ct.models.MLModel) -> None:
    tensors = weight_tensors(float16)
    assert [tensor.shape for tensor in tensors] == [(16, 24, 3, 3), (16, 16, 3, 3)]
    model = compress_each(float16, {tensors[0].name: precision})
    before, after = (read_mlprogram(Path(each.package_path)) for each in (float16, model))
    stored = weights(after, tensors[0]).reshape(16, -1)
    by_palette = stored.reshape(16 // (precision.group_channels or 16), -1)
    if precision.palette:
        assert max(len(np.unique(group)) for group in by_palette) == 2**precision.bits
    else:
        assert all(len(np.unique(channel)) <= 255 for channel in stored)
        assert len(np.unique(np.abs(stored).max(axis=1))) == 16  # a scale for each channel
    given = weights(before, tensors[0]).reshape(16, -1)
    assert np.square(stored - given).sum() < 0.1 * np.square(given).sum()
    np.testing.assert_array_equal(weights(after, tensors[1]), weights(before, tensors[1]))
    saved = _weight_bytes(float16) - _weight_bytes(model)
    assert saved == pytest.approx(2 * stored.size - precision.bytes(tensors[0].shape), abs=256)  # aligned by 64


def test_a_trial_computes_what_the_file_does(float16: ct.models.MLModel) -> None:
    tensors = weight_tensors(float16)
    compressed = read_mlprogram(Path(compress_each(float16, {tensors[1].name: PALETTE4}).package_path))
    trial = Trial(read_mlprogram(Path(float16.package_path)), tensors)
    found = trial(NOISE, {tensors[1].name: weights(compressed, tensors[1])})
    np.testing.assert_allclose(found, Executor(compressed)(NOISE), atol=1e-6)
    before = trial(NOISE, {})
    assert np.abs(found - before).max() > 1e-4
    changes = squared_changes(trial, compressed, tensors, NOISE)
    assert changes[tensors[0].name] == 0
    assert changes[tensors[1].name] == pytest.approx(np.square(found - before).sum(axis=1).mean(), rel=1e-3)


def test_smallest_is_smaller_where_more_may_be_lost_and_says_what_it_is(
    source: Source, tiny: Examples, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    images, calibration = read_search_images(tiny, 32, 32)
    assert calibration.split == tiny.splits["validation" if tiny.example_counts.get("validation") else "train"]
    search = SearchImages(images, test_images=10_000)
    rows = [
        export(Exporter(source, config, None, search), "smallest", folder, model, evaluated, config)
        for config in (CONFIG, CONFIG.model_copy(update={"max_accuracy_drop": 0.0}))
    ]
    assert rows[0].weights == "3-bit palettes by group 100%"
    assert rows[1].weights == "float16: no tensor can be smaller within push.max_accuracy_drop"
    assert rows[0].bytes < rows[1].bytes - 8000
    assert rows[0].comparison.accuracy_difference >= -0.3


def test_smallest_takes_only_what_the_target_reads(source: Source) -> None:
    config = PushConfig(deployment_target="iOS16", max_accuracy_drop=1.0)
    converter = CoreMLConverter(source, config, None, SearchImages(NOISE, test_images=10_000))
    assert converter.make("smallest").get_spec().specificationVersion == ct.target.iOS16.value
    assert converter.smallest_weights == "4-bit palettes 100%"


def test_a_smallest_file_that_the_test_split_refuses_is_made_with_more_bits(
    source: Source, model: Model, folder: Path
) -> None:
    """The search sees one gray image, whose class nothing changes; tested are 300 plain colors, some at the borders."""
    gray = SearchImages(np.full((100, 32, 32, 3), 128, np.uint8), test_images=10**9)
    config = PushConfig(deployment_target="iOS18", max_accuracy_drop=0.0001)
    exporter = Exporter(source, config, None, gray)
    colors = np.random.default_rng(0).integers(0, 256, (300, 1, 1, 3), np.uint8).repeat(32, 1).repeat(32, 2)
    np.save(folder / "colors.npy", colors)
    classes = predict(exporter.save("float16", folder), colors, model.class_names).argmax(1)
    evaluated = EvaluatedImages(folder / "colors.npy", classes, np.eye(3, dtype=np.float32)[classes])
    file = exporter.save("smallest", folder)
    assert exporter.weights("smallest") == "3-bit palettes by group 100%"
    assert (predict(file, colors, model.class_names).argmax(1) != classes).any()
    row = export(exporter, "smallest", folder, model, evaluated, config)
    assert row.comparison.accuracy == 1.0
    assert row.weights == "float16: no tensor can be smaller within push.max_accuracy_drop"


def test_networks_without_large_tensors_stay_float16(folder: Path) -> None:
    save(Linear(2), ("a", "b"), folder / "saved_model")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    source = Source(loaded, 32, 32, ("a", "b"), version="1", description="A test.", metadata={})
    exporter = Exporter(source, CONFIG, None, SearchImages(NOISE[:3], test_images=100))
    file = exporter.save("smallest", folder)
    assert exporter.weights("smallest") == NOTHING_LARGE
    assert exporter.costliest("smallest", file, NOISE) is None
    assert predict(file, NOISE, ("a", "b")).shape == (8, 2)


def test_a_file_that_breaks_its_bound_names_the_tensor_that_costs_most(
    source: Source, model: Model, evaluated: EvaluatedImages, folder: Path
) -> None:
    """Pruned to 2 % of its weights, the network guesses."""
    config = PushConfig(sparsity=0.98, max_accuracy_drop=0.0)
    expected = r"push.max_accuracy_drop.*Of its tensors, \S+ \(16 x (24|16) x 3 x 3\) costs most.*smallest"
    with pytest.raises(ComponentError, match=expected):
        export(Exporter(source, config), "pruned", folder, model, evaluated, config)


def test_few_images_allow_little() -> None:
    """Nothing changes on them; in three images that says next to nothing."""
    expected = np.tile(np.float32([0.9, 0.1]), (1000, 1))
    config = PushConfig()
    assert likely_drop(expected, expected, 10_000, config) == pytest.approx(0.00032, abs=1e-5)
    assert likely_drop(expected[:3], expected[:3], 10_000, config) == pytest.approx(0.0045, abs=1e-4)
    assert likely_drop(expected[:3], expected[:3], 10_000, config) > config.max_accuracy_drop


def test_likely_drop_is_what_the_model_itself_says_is_lost() -> None:
    expected = np.float32([[0.9, 0.1], [0.7, 0.3], [0.505, 0.495], [0.2, 0.8]])
    found = np.float32([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])
    drop = likely_drop(found, expected, 10**12, PushConfig())
    assert drop == pytest.approx(0.4 / 4, abs=1e-5)  # the third was undecided


def test_the_card_says_how_much_of_the_weights_has_which_precision() -> None:
    tensors = [Tensor("a", (90, 10), ()), Tensor("b", (10, 10), ())]
    assert describe(tensors, {"a": PALETTE4}) == "4-bit palettes 90%, float16 10%"


@pytest.mark.parametrize(
    ("variant", "target", "needed"),
    [("palettized4_grouped", "iOS17", "iOS18"), ("int8_activations", "iOS16", "iOS17")],
)
def test_an_older_deployment_target_is_refused_with_the_config(variant: str, target: str, needed: str) -> None:
    with pytest.raises(ValidationError, match=f"{variant} needs deployment_target {needed} or newer; it is {target}"):
        PushConfig.model_validate({"variants": (variant,), "deployment_target": target})
    PushConfig.model_validate({"variants": (variant,), "deployment_target": needed})


def test_activations_in_int8_need_images(source: Source) -> None:
    with pytest.raises(ComponentError, match="int8_activations and smallest need images of the training split"):
        CoreMLConverter(source, CONFIG).make("int8_activations")


def test_activations_are_held_in_int8_around_convolutions(source: Source, model: Model, folder: Path) -> None:
    file = Exporter(source, CONFIG, NOISE).save("int8_activations", folder)
    graph = read_mlprogram(file)
    kinds = [step.operation for step in graph.steps]
    assert kinds.count("quantize") >= 3
    assert kinds.count("dequantize") >= kinds.count("quantize")
    first = next(index for index, kind in enumerate(kinds) if kind == "conv")
    assert kinds[first - 2 : first] == ["quantize", "dequantize"]
    assert predict(file, NOISE, model.class_names).sum(axis=1) == pytest.approx(np.ones(8), abs=2e-3)


def _weight_bytes(model: ct.models.MLModel) -> int:
    return (Path(model.weights_dir) / "weight.bin").stat().st_size
