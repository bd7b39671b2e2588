"""A classifier on the backbone in the files for phones: Core ML accepts it, and files say what TensorFlow says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples, Model
from components.backbone.efficientnet_lite import EfficientNetLite, imagenet_head
from components.backbone.weights import load_weights
from components.convertible import refuse_unconvertible
from components.dataset_reader import read
from components.push import PushConfig, Variant
from components.push.coreml import Source
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import Exporter
from components.push.verification import verify_export

SIDE = 64
CLASSES = tuple("abcdefghij")


class Classifier(tf.Module):
    """EfficientNet-Lite0 with ten of ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        weights = load_weights("EfficientNetLite0")
        matrix, bias = imagenet_head(weights)
        chosen = [404, 436, 94, 281, 351, 207, 32, 339, 510, 569]  # much like the sample's classes
        self.backbone = EfficientNetLite("EfficientNetLite0", weights)
        self.head, self.head_bias = tf.Variable(matrix[:, chosen]), tf.Variable(bias[chosen])

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, "image")])
    def pixels(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `Model` documents."""
        return {"probabilities": tf.nn.softmax(tf.matmul(self.backbone(image), self.head) + self.head_bias)}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, sample: Examples) -> tuple[Model, EvaluatedImages, Exporter]:
    """The saved classifier, what it says of 16 enlarged images, and its exporter."""
    folder = tmp_path_factory.mktemp("classifier")
    network = Classifier()
    tf.saved_model.save(network, str(folder / "saved_model"), signatures={"pixels": network.pixels})
    small = next(read(sample, sample.splits["test"]).batch(16).as_numpy_iterator())[0]
    images = tf.saturate_cast(tf.image.resize(small, (SIDE, SIDE), "bicubic"), tf.uint8).numpy()
    np.save(folder / "images.npy", images)
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    probabilities = network.pixels(tf.constant(images, tf.float32))["probabilities"].numpy()
    model = Model(
        folder=folder,
        class_names=CLASSES,
        image_height=SIDE,
        image_width=SIDE,
        recipe="test",
        parameter_count=1,
        epochs=0,
        trained_images=0,
    )
    source = Source(loaded, SIDE, SIDE, CLASSES, version="1", description="A test.", metadata={})
    evaluated = EvaluatedImages(folder / "images.npy", probabilities.argmax(1), probabilities)
    return model, evaluated, Exporter(source, PushConfig())


def test_core_ml_accepts_it_before_it_is_trained() -> None:
    network = Classifier()  # its variables must be kept alive
    refuse_unconvertible(network.pixels.get_concrete_function(), SIDE, SIDE)


@pytest.mark.parametrize(
    "variant", ["float16", "litert", "onnx", pytest.param("neuralnetwork", marks=pytest.mark.long)]
)
def test_each_kind_of_file_says_what_tensorflow_says(
    variant: Variant, classifier: tuple[Model, EvaluatedImages, Exporter], tmp_path: Path
) -> None:
    model, evaluated, exporter = classifier
    row = verify_export(variant, exporter.save(variant, tmp_path), model, evaluated, PushConfig())
    assert row.comparison.images == 16
    assert row.comparison.max_probability_difference < 0.02
