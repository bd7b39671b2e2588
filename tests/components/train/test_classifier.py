from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.artifacts import Examples
from components.convertible import refuse_unconvertible
from components.push.photo_files import KINDS, photo_file
from components.train import TrainConfig
from components.train.classifier import Classifier
from components.train.training import build_network
from tests.components.train.helpers import images_and_labels, split_statistics

CLASSES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def images(tiny: Examples) -> np.ndarray:
    return images_and_labels(tiny, "validation")[0]


def _classifier(images: np.ndarray, **values: Any) -> Classifier:
    small = {} if values.get("recipe") == "tutorial" else {"widths": (8, 8, 16)}
    config = TrainConfig.model_validate({"recipe": "small_data", **small, **values})
    network = build_network(config, split_statistics(images, np.zeros(len(images), int)), 32, 32, len(CLASSES))
    # Batch statistics of their own: an untrained network says the same of every image.
    network(tf.constant(images, tf.float32), seed=tf.constant((0, 0)))
    return Classifier(network, 32, 32, CLASSES, config.mirror_averaging)


@pytest.fixture(scope="module")
def saved(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("classifier") / "saved_model"
    _classifier(images).save(folder)
    return tf.saved_model.load(str(folder))


def test_the_three_signatures_say_the_same(saved: Any, images: np.ndarray) -> None:
    served = saved.signatures["serving_default"](image=tf.constant(images))
    encoded = saved.signatures["encoded"](image_bytes=tf.constant([_png(image) for image in images]))
    pixels = saved.signatures["pixels"](image=tf.constant(images, tf.float32))

    np.testing.assert_allclose(served["probabilities"].numpy().sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(pixels["probabilities"], served["probabilities"], atol=1e-6)
    np.testing.assert_allclose(encoded["probabilities"], served["probabilities"], atol=1e-6)
    assert set(pixels) == {"probabilities"}
    assert set(served) == set(encoded) == {"probabilities", "class_id", "class_name"}
    np.testing.assert_array_equal(served["class_id"], served["probabilities"].numpy().argmax(axis=1))
    names = [CLASSES[class_id].encode() for class_id in served["class_id"].numpy()]
    assert served["class_name"].numpy().tolist() == names


@pytest.mark.parametrize(
    ("format_", "mode"), [("PNG", "RGB"), ("PNG", "L"), ("JPEG", "RGB"), ("JPEG", "L"), ("GIF", "P"), ("BMP", "RGB")]
)
def test_encoded_images_of_any_size_and_format_are_taken(saved: Any, format_: str, mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (51, 40), 200).save(file, format_)

    answer = saved.signatures["encoded"](image_bytes=tf.constant([file.getvalue()] * 2))

    assert answer["probabilities"].shape == (2, 3)


def test_an_encoded_photo_is_turned_and_laid_on_white(saved: Any, images: np.ndarray) -> None:
    """Files of every kind in one batch, of other sizes too, are answered as the image itself is."""
    files = [photo_file(images[0], kind) for kind in range(KINDS)]
    answers = saved.signatures["encoded"](image_bytes=tf.constant(files))["probabilities"]
    expected = saved.signatures["serving_default"](image=tf.constant(images[:1]))["probabilities"]
    np.testing.assert_allclose(answers, np.repeat(expected, KINDS, axis=0), atol=1e-6)


def test_a_process_that_made_other_graphs_saves_the_same_bytes(images: np.ndarray, tmp_path: Path) -> None:
    classifier = _classifier(images)
    classifier.save(tmp_path / "first")
    loop = tf.function(
        lambda x: tf.cond(x > 0, lambda: tf.while_loop(lambda i: i < 3, lambda i: (i + 1,), [x])[0], lambda: x)
    )
    assert loop(tf.constant(1)) == 3
    classifier.save(tmp_path / "second")
    assert (tmp_path / "first/saved_model.pb").read_bytes() == (tmp_path / "second/saved_model.pb").read_bytes()


def test_mirror_averaging_sees_no_difference_between_an_image_and_its_mirror(images: np.ndarray) -> None:
    averaging = _classifier(images, mirror_averaging=True)
    single = _classifier(images, mirror_averaging=False)
    pixels = tf.constant(images, tf.float32)
    mirrored = pixels[:, :, ::-1]

    mean = (single.logits(pixels) + single.logits(mirrored)) / 2
    np.testing.assert_allclose(averaging.logits(pixels), mean, atol=1e-5)
    np.testing.assert_allclose(averaging.logits(mirrored), mean, atol=1e-5)
    assert np.abs(single.logits(pixels) - single.logits(mirrored)).max() > 1e-3


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mirror_averaging": True, "activation": "gelu", "convolutions_per_block": 3},
        {"recipe": "tutorial"},
    ],
    ids=["small_data", "everything", "tutorial"],
)
def test_every_network_converts_to_core_ml(images: np.ndarray, values: dict[str, Any]) -> None:
    pixels = _classifier(images, **values).pixels()

    refuse_unconvertible(pixels.get_concrete_function(), 32, 32)


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
