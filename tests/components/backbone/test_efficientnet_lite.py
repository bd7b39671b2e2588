"""The networks recognize what the embedded sample shows, at any size, and can be trained and computed in bfloat16."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.backbone.efficientnet_lite import (
    SCALINGS,
    EfficientNetLite,
    block_stages,
    imagenet_head,
    scaled_channels,
)
from components.backbone.weights import load_weights
from components.component import ComponentError
from components.dataset_reader import read
from tests.components.backbone.installed import INSTALLED

LITE0 = "EfficientNetLite0"
# Classes of ImageNet by the sample's classes: airliner, tabby, tailed frog, sorrel, container ship.
IMAGENET = {"airplane": 404, "cat": 281, "frog": 32, "horse": 339, "ship": 510}
# The larger networks call many a cat a fox squirrel, and many a ship a speedboat; they also take twice the time.
NAMED_SURELY = {LITE0: tuple(IMAGENET)}


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    return EfficientNetLite(LITE0)


@pytest.fixture(scope="module")
def test_images(sample: Examples) -> dict[str, np.ndarray]:
    """The 100 test images of each class, float32."""
    images, labels = next(read(sample, sample.splits["test"]).batch(1000).as_numpy_iterator())
    return {name: images[labels == label].astype(np.float32) for label, name in enumerate(sample.class_names)}


@pytest.mark.parametrize("backbone", INSTALLED)
def test_enlarged_images_are_called_what_they_are(backbone: str, test_images: dict[str, np.ndarray]) -> None:
    """On average over the 100 images of a class; single ones of 32 pixels are hard to tell."""
    weights = load_weights(backbone)
    network = EfficientNetLite(backbone, weights)
    matrix, bias = imagenet_head(weights)

    @tf.function
    def mean_probabilities(images: tf.Tensor) -> tf.Tensor:
        features = network(tf.image.resize(images, (160, 160), "bicubic"))
        return tf.reduce_mean(tf.nn.softmax(tf.matmul(features, matrix) + bias), 0)

    named = NAMED_SURELY.get(backbone, ("frog", "horse"))
    found = {name: int(tf.argmax(mean_probabilities(test_images[name]))) for name in named}
    assert found == {name: IMAGENET[name] for name in named}


def test_features_separate_classes_that_imagenet_does_not_have(
    network: EfficientNetLite, test_images: dict[str, np.ndarray]
) -> None:
    """The nearest mean of 50 images, for another 50: one in two without training, where chance is one in ten."""
    features = tf.function(lambda images: network(tf.image.resize(images, (64, 64), "bicubic")))
    found = np.stack([features(images) for images in test_images.values()])
    means = found[:, :50].mean(1)
    distances = np.linalg.norm(found[:, 50:, None] - means, axis=-1)
    assert (distances.argmin(-1) == np.arange(10)[:, None]).mean() > 0.5


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 64), (45, 71), (96, 40)])
def test_images_of_any_size_give_a_map_of_their_size_over_32(
    height: int, width: int, network: EfficientNetLite
) -> None:
    images = tf.random.stateless_uniform((2, height, width, 3), (1, 2), 0, 255)
    found = network.feature_map(images)
    assert found.shape == (2, -(-height // 32), -(-width // 32), 1280)
    assert 0 <= float(tf.reduce_min(found)) <= float(tf.reduce_max(found)) <= 6
    np.testing.assert_allclose(network(images), tf.reduce_mean(found, (1, 2)), rtol=1e-5, atol=1e-6)


def test_first_layer_is_convolution_and_normalization_of_centered_pixels(network: EfficientNetLite) -> None:
    weights = load_weights(LITE0)
    images = tf.random.stateless_uniform((2, 40, 33, 3), (1, 2), 0, 255)
    filters = np.transpose(weights["_conv_stem.weight"], (2, 3, 1, 0))
    expected = tf.nn.relu6(
        tf.nn.batch_normalization(
            tf.nn.conv2d((images - 127) / 128, filters, 2, "SAME"),
            *(weights[f"_bn0.{part}"] for part in ("running_mean", "running_var", "bias", "weight")),
            1e-3,
        )
    )
    np.testing.assert_allclose(network.stem((images - 127) / 128), expected, rtol=1e-4, atol=1e-4)


def test_each_image_is_computed_by_itself(network: EfficientNetLite) -> None:
    images = tf.random.stateless_uniform((3, 32, 32, 3), (1, 2), 0, 255)
    np.testing.assert_allclose(network(images)[1:2], network(images[1:2]), rtol=1e-4, atol=1e-5)


def test_bfloat16_gives_nearly_the_same_features(network: EfficientNetLite, test_images: dict[str, np.ndarray]) -> None:
    images = tf.image.resize(test_images["horse"][:8], (64, 64), "bicubic")
    exact, rounded = network(images).numpy(), network(images, tf.bfloat16)
    assert rounded.dtype == tf.float32
    cosine = np.sum(exact * rounded, 1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.99
    assert not np.array_equal(exact, rounded)


@pytest.mark.parametrize("compute_type", [tf.float32, tf.bfloat16])
def test_all_of_it_can_be_trained(compute_type: tf.DType, network: EfficientNetLite) -> None:
    with tf.GradientTape() as tape:
        features = network(tf.random.stateless_uniform((2, 64, 64, 3), (1, 2), 0, 255), compute_type)
        loss = tf.reduce_sum(features**2)
    trained = [variable for layer in network.convolutions for variable in (layer.filters, layer.bias)]
    gradients = tape.gradient(loss, trained)
    assert all(gradient is not None and gradient.dtype == tf.float32 for gradient in gradients)
    assert {id(variable) for variable in trained} == {id(variable) for variable in network.trainable_variables}
    assert len(network.variables) == 2 * 49  # 49 filters and biases, and no statistics


@pytest.mark.parametrize(
    ("backbone", "blocks", "channels"),
    [
        ("EfficientNetLite0", 16, [16, 24, 40, 80, 112, 192, 320]),
        ("EfficientNetLite1", 21, [16, 24, 40, 80, 112, 192, 320]),
        ("EfficientNetLite2", 21, [16, 24, 48, 88, 120, 208, 352]),
    ],
)
def test_scaled_networks_have_the_published_blocks(backbone: str, blocks: int, channels: list[int]) -> None:
    stages = list(block_stages(SCALINGS[backbone]))
    assert len(stages) == blocks
    assert list(dict.fromkeys(stage.channels for stage in stages)) == channels
    assert [stage.stride for stage in stages].count(2) == 4


def test_channels_are_multiples_of_8_and_hardly_shrink() -> None:
    assert [scaled_channels(count, 1.1) for count in (3, 11, 16, 24, 40)] == [8, 16, 16, 24, 48]
    assert scaled_channels(18, 1.0) == 24  # 16 is less than 90 % of it


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(
        ComponentError,
        match=r"filters of _blocks\.3\._depthwise_conv have the shape \(5, 5, 144, 1\).*has \(3, 3, 144, 1\)",
    ):
        EfficientNetLite("EfficientNetLite1", load_weights(LITE0))
