"""A trained classifier of the tiny dataset, its evaluation, and what push reads of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Evaluation, Examples, Model
from components.dataset_reader import read
from components.push.evaluated_images import EvaluatedImages, read_evaluated_images
from tests.components.push.networks import Whitened, save, train

DIGEST = "c0ffee" + "0" * 58


@pytest.fixture(scope="session")
def model(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Tells red, green and blue apart, without being sure of it."""
    images, labels = next(read(tiny, tiny.splits["train"]).batch(96).as_numpy_iterator())
    network = Whitened(len(tiny.class_names))
    train(network, images, labels, steps=25)
    folder = tmp_path_factory.mktemp("model")
    save(network, tiny.class_names, folder / "saved_model")
    return Model(
        folder=folder,
        digest=DIGEST,
        class_names=tiny.class_names,
        image_height=32,
        image_width=32,
        recipe="test",
        parameter_count=sum(int(np.prod(variable.shape)) for variable in network.variables),
        epochs=25,
        trained_images=96,
    ).write()


@pytest.fixture(scope="session")
def evaluation(tiny: Examples, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """What the model says of the test split, in two shards."""
    loaded = tf.saved_model.load(str(model.saved_model))
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "predictions").mkdir()
    right, confusion = [], np.zeros((3, 3), int)
    for shard, (images, labels) in enumerate(read(tiny, tiny.splits["test"]).batch(24)):
        probabilities = loaded.signatures["serving_default"](image=images)["probabilities"].numpy()
        right += list(probabilities.argmax(1) == labels.numpy())
        np.add.at(confusion, (labels.numpy(), probabilities.argmax(1)), 1)
        file = folder / "predictions" / f"{shard:05}-of-00002.npz"
        np.savez(file, label=labels.numpy(), probabilities=probabilities)
    return Evaluation(
        folder=folder,
        digest="1" * 64,
        blessed=True,
        checks=(),
        example_count=len(right),
        metrics={"accuracy": float(np.mean(right))},
        slices={},
        class_names=tiny.class_names,
        confusion_matrix=tuple(map(tuple, confusion.tolist())),
    ).write()


@pytest.fixture(scope="session")
def evaluated(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> EvaluatedImages:
    """48 images, with what was evaluated."""
    return read_evaluated_images(tiny, model, evaluation, tmp_path_factory.mktemp("test"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files"
