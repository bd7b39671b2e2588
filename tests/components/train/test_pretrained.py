from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.component import ComponentError
from components.train import Train, TrainConfig
from components.train.network import Setting
from components.train.optimizer import Optimizer
from components.train.pretrained import PretrainedNetwork, load_backbone
from components.train.step import TrainingStep
from tests.components.train.helpers import split_statistics

SIZE = 32
BACKBONE = "MobileNetV3Small"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a backbone that nobody has trained, but for the moments in its normalization: there is no network here."""
    import keras

    keras.utils.set_random_seed(1)
    backbone = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    photos = np.stack([_photo(index % 3, index) for index in range(48)])
    backbone(photos.astype(np.float32), training=True)
    file = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    backbone.save_weights(file)
    return file


def _photo(channel: int, seed: int, size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    pixels = np.random.default_rng((channel, seed)).integers(0, 100, (*size, 3), dtype=np.uint8)
    pixels[..., channel] += 120
    return pixels


def _config(weights: Path | str, **values: object) -> TrainConfig:
    fixed = {
        "recipe": "finetune_keras",
        "backbone": BACKBONE,
        "backbone_weights": str(weights),
        "image_size_pixels": SIZE,
    }
    return TrainConfig.model_validate({**fixed, **values})


def _network(config: TrainConfig) -> PretrainedNetwork:
    statistics = split_statistics(np.zeros((2, SIZE, SIZE, 3), np.uint8), np.arange(2))
    return PretrainedNetwork(config, Setting(statistics, SIZE, SIZE, 3, np.random.default_rng(0)))


def test_the_weights_are_those_of_the_file(weights: Path) -> None:
    images = tf.random.stateless_uniform((2, SIZE, SIZE, 3), (1, 2), 0, 255)

    features = [load_backbone(BACKBONE, str(weights), SIZE, SIZE)(images, training=False) for _ in range(2)]

    np.testing.assert_array_equal(*features)
    assert float(tf.math.reduce_std(features[0])) > 0


def test_the_frozen_phase_has_no_gradients_of_the_backbone_and_changes_nothing_in_it(weights: Path) -> None:
    config = _config(weights, frozen_epochs=1.0, batch_size=4)
    network = _network(config)
    step = TrainingStep(config, network, Optimizer(config, network, 4), image_count=4, seed=0)
    images = tf.cast(tf.random.stateless_uniform((4, SIZE, SIZE, 3), (1, 2), 0, 255), tf.uint8)
    batch = (images, tf.constant([0, 1, 2, 0], tf.int64), tf.range(4, dtype=tf.int64))
    before = [variable.numpy() for variable in network.backbone]

    step(0, 0.0, 0.0, *batch)

    for variable, value in zip(network.backbone, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert np.abs(network.head.numpy()).max() > 0
    step(1, 0.5, 1.0, *batch)
    assert any((variable.numpy() != value).any() for variable, value in zip(network.backbone, before, strict=True))
    frozen, whole = (_gradient_operations(step, batch, groups) for groups in (("head",), tuple(network.groups)))
    assert frozen == 0
    assert whole > 50


def _gradient_operations(step: TrainingStep, batch: tuple[tf.Tensor, ...], groups: tuple[str, ...]) -> int:
    """Of convolutions, in the graph of a step that trains `groups`."""
    rates = {group: tf.constant(1.0) for group in groups}
    function = step._compiled.get_concrete_function(
        *batch, tf.zeros_like(batch[2], tf.bool), tf.constant((0, 1)), rates, 1.0
    )
    graphs = [function.graph.as_graph_def().node] + [
        each.node_def for each in function.graph.as_graph_def().library.function
    ]
    return sum("Backprop" in node.op for nodes in graphs for node in nodes if "onv2d" in node.op.lower())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file {file}. Name a file with the weights of MobileNetV3Small."),
        (b"no weights", "{file} does not hold the weights of MobileNetV3Small without its top (Keras said: "),
    ],
)
def test_a_file_that_is_not_theirs_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "backbone.weights.h5"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ComponentError) as refusal:
        load_backbone(BACKBONE, str(file), SIZE, SIZE)

    assert "train.backbone_weights: " + said.format(file=file) in str(refusal.value)


def test_weights_of_another_network_are_refused(weights: Path) -> None:
    with pytest.raises(ComponentError, match="does not hold the weights of MobileNetV2 without its top"):
        load_backbone("MobileNetV2", str(weights), SIZE, SIZE)


def test_without_a_network_it_says_what_to_fetch_and_where_to_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from keras.src.applications import mobilenet_v3
    from keras.src.utils import file_utils

    monkeypatch.setattr(mobilenet_v3, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path), raising=False)

    with pytest.raises(ComponentError) as refusal:
        load_backbone(BACKBONE, "imagenet", 224, 224)

    first, second = str(refusal.value).splitlines()
    assert first.startswith("The weights of MobileNetV3Small, pretrained on ImageNet, cannot be downloaded: ")
    assert "http://127.0.0.1:9/weights_mobilenet_v3_small" in first
    assert "set train.backbone_weights to its path here." in second


def test_the_key_knows_the_weights_by_their_content(weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.weights.h5"
    copy.write_bytes(weights.read_bytes())
    here, there, gone = (Train(_config(path)) for path in (weights, copy, tmp_path / "gone.weights.h5"))

    assert here.identity() == there.identity()
    assert here.fingerprint(tmp_path, {}) == there.fingerprint(tmp_path, {}) != ""
    assert gone.fingerprint(tmp_path, {}) is None
    copy.write_bytes(b"others")
    assert here.fingerprint(tmp_path, {}) != there.fingerprint(tmp_path, {})
    assert Train(_config("imagenet")).fingerprint(tmp_path, {}) == ""


@pytest.mark.long
def test_it_goes_through_the_whole_pipeline(weights: Path, tmp_path: Path) -> None:
    for channel, name in enumerate(("red", "green", "blue")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(30):
            Image.fromarray(_photo(channel, number, (40 + number, 52))).save(
                tmp_path / "photos" / name / f"{number}.jpg"
            )
    train = _config(weights, epochs=4, frozen_epochs=4, batch_size=8, head_learning_rate=0.02).model_dump(mode="json")
    config = {
        "ingest": {"dataset": str(tmp_path / "photos")},
        "train": train,
        "evaluate": {"thresholds": {"accuracy": {"min": 0.6}}},
        "push": {"variants": ["float32"]},  # what nobody has trained leaves the range of float16
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pipeline.run", "--output=json", f"--pipeline_root={tmp_path / 'root'}"]

    finished = subprocess.run([*command, f"--config={tmp_path / 'config.json'}"], capture_output=True, text=True)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    pushed = json.loads(finished.stdout.splitlines()[-1])["nodes"][-1]
    assert pushed["summary"]["version"] == 1
    card = json.loads((tmp_path / "root" / "pushed" / "1" / "assets.extra" / "model_card.json").read_text())
    assert [row["variant"] for row in card["files"]] == ["saved_model", "float32"]
    assert card["image_height"] == SIZE
