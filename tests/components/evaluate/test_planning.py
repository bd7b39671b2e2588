from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.artifacts import Examples, Model
from components.component import ComponentError, Workspace
from components.evaluate import Evaluate, EvaluateConfig
from components.evaluate.prediction import Shard
from tests.components.evaluate import classifiers


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Model:
    return classifiers.save(tmp_path_factory.mktemp("model"), tiny.class_names, classifiers.by_two_pixels)


def plan(workspace: Workspace, examples: Examples, model: Model, **config: Any) -> list[Shard]:
    thresholds = config.pop("thresholds", {"accuracy": {"min": 0.5}})
    config = {"thresholds": thresholds, "slice_by": (), **config}
    component = Evaluate(EvaluateConfig.model_validate(config))
    return list(component.list_shards(workspace, examples, model))


def test_shards_cover_the_test_split_in_its_order(workspace: Workspace, tiny: Examples, model: Model) -> None:
    shards = plan(workspace, tiny, model, shard_examples=20)
    assert [shard.slice for shard in shards] == ["test[0:20]", "test[20:40]", "test[40:48]"]
    assert [shard.file.name for shard in shards] == [f"{index:05d}-of-00003.npz" for index in range(3)]
    assert {shard.file.parent for shard in shards} == {workspace.folder / "predictions"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["red", "blue", "green"], 'Class 1 is "blue" to the model (3 classes) and "green" in tiny/1.0.0 (3 classes).'),
        (["red", "green"], 'Class 2 is unknown to the model (2 classes) and "blue" in tiny/1.0.0 (3 classes).'),
        (
            ["red", "green", "blue", "x"],
            'Class 3 is "x" to the model (4 classes) and unknown in tiny/1.0.0 (3 classes).',
        ),
    ],
)
def test_other_class_names_are_refused(
    names: list[str], sentence: str, workspace: Workspace, tiny: Examples, model: Model
) -> None:
    with pytest.raises(ComponentError, match=re.escape(sentence)):
        plan(workspace, tiny, model.model_copy(update={"class_names": tuple(names)}))


def test_an_empty_split_is_refused(workspace: Workspace, tiny: Examples, model: Model) -> None:
    empty = tiny.model_copy(update={"splits": {**tiny.splits, "test": "test[48:]"}})
    with pytest.raises(ComponentError, match=re.escape('("test[48:]" of tiny/1.0.0) has no images to evaluate on')):
        plan(workspace, empty, model)


def test_a_signature_of_another_size_is_refused(workspace: Workspace, tiny: Examples, model: Model) -> None:
    with pytest.raises(
        ComponentError,
        match=re.escape("takes {'image': 'uint8 (n, 32, 32, 3)'}, expected {'image': 'uint8 (n, 32, 64, 3)'}"),
    ):
        plan(workspace, tiny, model.model_copy(update={"image_width": 64}))


def test_another_number_of_probabilities_is_refused(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    model = classifiers.save(tmp_path, tiny.class_names, classifiers.always(0, classes=4))
    with pytest.raises(ComponentError, match="gives 4 probabilities, but the model names 3 classes"):
        plan(workspace, tiny, model)


def test_a_signature_without_probabilities_is_refused(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    model = classifiers.save(tmp_path, tiny.class_names, classifiers.by_two_pixels)
    module = tf.Module()
    serve = tf.function(lambda image: {"scores": tf.cast(image, tf.float32)})
    spec = tf.TensorSpec((None, 32, 32, 3), tf.uint8, name="image")
    tf.saved_model.save(module, str(model.saved_model), signatures=serve.get_concrete_function(spec))
    with pytest.raises(ComponentError, match=re.escape("gives ['scores'], expected `probabilities`")):
        plan(workspace, tiny, model)


def test_a_top_k_that_holds_every_class_cannot_be_asked_for(workspace: Workspace, tiny: Examples, model: Model) -> None:
    with pytest.raises(ComponentError, match="the top 3 of 3 classes always hold the right one"):
        plan(workspace, tiny, model, thresholds={"top_k_accuracy": {"min": 0.9}}, top_k=3)
    assert plan(workspace, tiny, model, thresholds={"top_k_accuracy": {"min": 0.9}}, top_k=2)


def test_an_unknown_slice_is_refused(workspace: Workspace, tiny: Examples, model: Model) -> None:
    thresholds = {"accuracy": {"slices": {"class=gren": {"min": 0.9}}}}
    sentence = (
        'evaluate.thresholds asks for accuracy of "class=gren": there is no such slice. '
        "Known are class=red, class=green, class=blue."
    )
    with pytest.raises(ComponentError, match=re.escape(sentence)):
        plan(workspace, tiny, model, thresholds=thresholds)


def test_images_that_are_also_trained_on_cannot_bless(workspace: Workspace, tiny: Examples, model: Model) -> None:
    shared = tiny.model_copy(update={"splits": {**tiny.splits, "test": "test+train[90:100]"}})
    with pytest.raises(
        ComponentError,
        match=re.escape('("test+train[90:100]") and the train split ("train[:80%]") of tiny/1.0.0 share images'),
    ):
        plan(workspace, shared, model)


def test_a_feature_that_is_not_there_is_refused(workspace: Workspace, tiny: Examples, model: Model) -> None:
    sentence = (
        'evaluate.slice_by asks for "camera", which tiny/1.0.0 cannot be sliced by: it has no such feature with whole '
        "numbers or text. Known are brightness, contrast, size, label."
    )
    with pytest.raises(ComponentError, match=re.escape(sentence)):
        plan(workspace, tiny, model, slice_by=("camera",))
    with pytest.raises(ComponentError, match='slice_by asks for "folder"'):
        plan(workspace, tiny, model, slice_by=("folder",))


def test_a_bound_may_be_set_on_any_slice_that_there_will_be(workspace: Workspace, tiny: Examples, model: Model) -> None:
    thresholds = {"accuracy": {"slices": {"brightness=dark": {"min": 0.5}, "label=9": {"min": 0.5}}}}
    assert plan(workspace, tiny, model, thresholds=thresholds, slice_by=("brightness", "label"))
    with pytest.raises(ComponentError, match='accuracy of "brightness=dark": there is no such slice'):
        plan(workspace, tiny, model, thresholds=thresholds, slice_by=("label",))
