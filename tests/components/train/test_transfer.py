"""The recipe that trains a head on stored features, with the real backbone, at 32 pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Embeddings, Examples, Model
from components.backbone.efficientnet_lite import EfficientNetLite
from components.component import ComponentError
from components.embed import Embed, EmbedConfig
from components.train import Train, TrainConfig
from components.train.transfer import logits_of, start_from_features
from tests.components import scanning
from tests.components.train.helpers import images_and_labels, make_workspace, statistics_of

SIZE = 32


def config(**values: object) -> TrainConfig:
    return TrainConfig.model_validate({"recipe": "transfer", "image_size_pixels": SIZE, **values})


@pytest.fixture(scope="module")
def embeddings(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    embed = Embed(EmbedConfig(backbone="EfficientNetLite0", image_size_pixels=SIZE))
    found: Embeddings = scanning.run(embed, make_workspace(tmp_path_factory.mktemp("embed")), tiny)
    return found


@pytest.fixture(scope="module")
def model(tiny: Examples, embeddings: Embeddings, tmp_path_factory: pytest.TempPathFactory) -> Model:
    workspace = make_workspace(tmp_path_factory.mktemp("transfer"))
    return Train(config()).run(workspace, tiny, statistics_of(tiny), embeddings)


def said(model: Model, images: np.ndarray) -> np.ndarray:
    loaded = tf.saved_model.load(str(model.saved_model))
    probabilities: np.ndarray = loaded.signatures["serving_default"](image=tf.constant(images))["probabilities"].numpy()
    return probabilities


def test_the_exported_model_takes_pixels_and_tells_the_classes(model: Model, tiny: Examples) -> None:
    images, labels = images_and_labels(tiny, "test")
    resized = tf.cast(tf.round(tf.image.resize(images, (SIZE, SIZE))), tf.uint8).numpy()
    assert (said(model, resized).argmax(axis=1) == labels).mean() > 0.8
    assert (model.recipe, model.epochs, model.started_from) == ("transfer", 0, None)


def test_few_images_choose_it_themselves(tiny: Examples, embeddings: Embeddings, tmp_path: Path) -> None:
    train = Train(TrainConfig(image_size_pixels=SIZE))
    model = train.run(make_workspace(tmp_path), tiny, statistics_of(tiny), embeddings)
    reason = "96 training images are too few to train all layers (600 would do)"
    assert (model.recipe, model.epochs, model.recipe_reason) == ("transfer", 0, reason)
    assert model.summary()["recipe_reason"] == reason
    assert Model.read(model.folder) == model
    assert reason not in (model.folder / "model.json").read_text()  # the same model as if the recipe were named
    with pytest.raises(ComponentError, match=r"images of 32 pixels, and train\.image_size_pixels is 224\."):
        Train(TrainConfig()).run(make_workspace(tmp_path / "larger"), tiny, statistics_of(tiny), embeddings)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_all_layers_are_trained_from_the_fitted_head(
    precision: str, tiny: Examples, embeddings: Embeddings, tmp_path: Path
) -> None:
    # At the recipe's own rate, so few steps diverge on one processor and not on another.
    values = {
        "recipe": "finetune",
        "epochs": 4,
        "learning_rate": 5e-5,
        "batch_size": 24,
        "resolution_schedule": [[0, 1]],
    }
    trained = Train(config(**values, precision=precision))
    model = trained.run(make_workspace(tmp_path), tiny, statistics_of(tiny), embeddings)
    first, *_, last = json.loads((model.folder / "history.json").read_text())
    assert first["accuracy"] > 0.5  # from new weights it would be a third
    assert last["validation_accuracy"] == model.validation_accuracy
    assert (model.recipe, model.epochs, model.precision) == ("finetune", 4, precision)
    images, labels = images_and_labels(tiny, "test")
    assert (said(model, images).argmax(axis=1) == labels).mean() > 0.8
    untouched = EfficientNetLite("EfficientNetLite0")
    saved = tf.saved_model.load(str(model.saved_model)).network.backbone
    for before, after in ((untouched.stem, saved.stem), (untouched.top, saved.top)):
        assert np.abs(before.filters.numpy() - after.filters.numpy()).max() > 0


def test_the_temperature_is_fitted_on_held_out_images_too(model: Model, tiny: Examples) -> None:
    judged = np.load(model.validation_file)["correct"]
    assert len(judged) > tiny.example_counts["validation"]


def test_the_model_tells_how_many_held_out_images_were_right(model: Model, tiny: Examples) -> None:
    found = Model.read(model.folder).cross_validated
    assert found is not None
    assert found.images == tiny.example_counts["train"] + tiny.example_counts["validation"]
    assert found.right_images == int(np.load(model.validation_file)["correct"].sum())
    assert model.summary()["cross_validated_accuracy"] == found.right_images / found.images


def test_one_training_image_is_refused(tiny: Examples, embeddings: Embeddings, tmp_path: Path) -> None:
    counts = {"train": 1, "test": tiny.example_counts["test"]}
    one = tiny.model_copy(update={"splits": {"train": "train[:1]", "test": "test"}, "example_counts": counts})
    workspace = make_workspace(tmp_path / "embed")
    single: Embeddings = scanning.run(
        Embed(EmbedConfig(backbone="EfficientNetLite0", image_size_pixels=SIZE)), workspace, one
    )
    with pytest.raises(ComponentError, match="There is one training image, and a head is fitted on two or more"):
        Train(config()).run(make_workspace(tmp_path / "train"), one, statistics_of(tiny), single)


def test_features_of_another_backbone_or_size_are_refused(
    tiny: Examples, embeddings: Embeddings, tmp_path: Path
) -> None:
    other = embeddings.model_copy(update={"backbone": "EfficientNetLite1"})
    with pytest.raises(ComponentError, match="The stored features are of EfficientNetLite1, and"):
        Train(config()).run(make_workspace(tmp_path / "one"), tiny, statistics_of(tiny), other)
    with pytest.raises(ComponentError, match="The stored features are of images of 32 pixels, and"):
        Train(config(image_size_pixels=64)).run(make_workspace(tmp_path / "two"), tiny, statistics_of(tiny), embeddings)


def test_features_that_pixels_do_not_give_are_refused(tiny: Examples, embeddings: Embeddings, tmp_path: Path) -> None:
    shuffled = embeddings.model_copy(update={"folder": tmp_path / "shuffled"})
    (shuffled.folder / "vectors").mkdir(parents=True)
    for split in ("train", "validation"):
        for file in embeddings.files(split):
            columns = dict(np.load(file))
            columns["center"] = columns["center"][::-1]
            np.savez(shuffled.folder / "vectors" / file.name, **columns)
    with pytest.raises(
        ComponentError, match=r"From pixels, the network gives probabilities that differ by 0\.\d+ from"
    ):
        Train(config()).run(make_workspace(tmp_path / "work"), tiny, statistics_of(tiny), shuffled)


def test_without_mirror_averaging_only_the_image_itself_counts(embeddings: Embeddings) -> None:
    from components.train.lite import LiteNetwork
    from components.train.network import Setting
    from tests.components.train.helpers import split_statistics

    statistics = split_statistics(np.zeros((2, SIZE, SIZE, 3), np.uint8), np.arange(2))
    network = LiteNetwork(config(), Setting(statistics, SIZE, SIZE, 3, np.random.default_rng(0)))
    head = start_from_features(config(), network, embeddings, 3)
    views = np.stack([np.zeros(1280, np.float32), np.ones(1280, np.float32)])[None]
    np.testing.assert_allclose(logits_of(head, views, mirror_averaging=False)[0], head.biases, rtol=1e-6)
    np.testing.assert_allclose(
        logits_of(head, views, mirror_averaging=True)[0], head.biases + head.weights.sum(axis=0) / 2, rtol=1e-4
    )
