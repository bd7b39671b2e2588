"""The networks of all recipes that can be trained, in every kind of file that can be pushed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Model, SplitStatistics
from components.push import PushConfig, Variant
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter
from components.push.verification import verify_export
from components.train import TrainConfig
from components.train.classifier import Classifier
from components.train.recipes import RECIPES
from components.train.training import build_network

pytestmark = pytest.mark.long
CLASSES = tuple("abcdefghij")
STATISTICS = SplitStatistics(
    example_count=1,
    pixel_count=1024,
    channel_mean=(0.49, 0.48, 0.45),
    channel_std=(0.25, 0.24, 0.26),
    patch_mean=(0.47,) * 12,
    patch_covariance=tuple(map(tuple, 0.04 + 0.02 * np.eye(12))),
    class_counts=(1,) * 10,
    image_sizes={"32x32": 1},
)
# Recipes that differ in widths or schedules hold the same layers: one of each kind is enough.
KINDS = {(recipe.network, recipe.activation, recipe.convolutions_per_block): name for name, recipe in RECIPES.items()}
BACKBONE = "MobileNetV3Small"  # the smallest; it has the layers of the other MobileNets
WIDTHS = {"widths": (24, 40, 40)}  # the last have more weights than `PALETTIZED_WEIGHTS`
NARROW = {  # by network
    "tutorial": {},
    "whitened": WIDTHS,
    "resnet": {**WIDTHS, "blocks_per_width": (1, 1, 1)},
    "efficientnet_lite": {"image_size_pixels": 32, "resolution_schedule": ((0.0, 1.0),)},
}
# What random weights say hardly differs from image to image: here it is only of interest that files can be run.
CONFIG = PushConfig(max_accuracy_drop=1.0, min_agreement=0.5)


@pytest.fixture(scope="module", params=KINDS.values())
def recipe(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, EvaluatedImages, Exporter]:
    """A narrow network of a recipe with its first weights, what it says of 8 images, and its exporter."""
    folder = tmp_path_factory.mktemp(request.param)
    config = _config(request.param, folder)
    network = build_network(config, STATISTICS, 32, 32, len(CLASSES))
    classifier = Classifier(network, 32, 32, CLASSES, config.mirror_averaging)
    classifier.save(folder / "saved_model")
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    np.save(folder / "images.npy", images)
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    probabilities = loaded.signatures["serving_default"](image=tf.constant(images))["probabilities"].numpy()
    model = Model(
        folder=folder,
        class_names=CLASSES,
        image_height=32,
        image_width=32,
        recipe=request.param,
        parameter_count=1,
        epochs=0,
        trained_images=0,
    )
    source = Source(loaded, 32, 32, CLASSES, version="1", description="A test.", metadata={})
    return (
        model,
        EvaluatedImages(folder / "images.npy", probabilities.argmax(1), probabilities),
        Exporter(source, CONFIG, images),
    )


@pytest.mark.parametrize("variant", get_args(Variant))
def test_recipe_is_verified_in_variant(
    variant: Variant, recipe: tuple[Model, EvaluatedImages, Exporter], folder: Path
) -> None:
    model, evaluated, exporter = recipe
    row = verify_export(variant, exporter.save(variant, folder), model, evaluated, CONFIG)
    assert row.comparison.images == 8


def _config(recipe: str, folder: Path) -> TrainConfig:
    if (network := RECIPES[recipe].network) != "pretrained":
        return TrainConfig(recipe=recipe, **NARROW[network])
    file = folder / "backbone.weights.h5"
    _untrained_backbone().save_weights(file)
    return TrainConfig(recipe=recipe, backbone=BACKBONE, backbone_weights=str(file), image_size_pixels=32)


def _untrained_backbone() -> keras.Model:
    """Its normalization knows what passes through it: without that, values leave the range of float16."""
    keras.utils.set_random_seed(0)
    backbone = getattr(keras.applications, BACKBONE)(include_top=False, weights=None, input_shape=(32, 32, 3))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    noise = np.random.default_rng(1).integers(0, 256, (64, 32, 32, 3)).astype(np.float32)
    backbone(noise, training=True)
    return backbone
