from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples, Model, Statistics
from components.component import ComponentError, Workspace
from components.files import digest_file
from components.train import Train
from tests.components.train.helpers import (
    images_and_labels,
    make_workspace,
    quick_config,
    statistics_of,
    train_until_killed,
)


@pytest.fixture(scope="module")
def statistics(tiny: Examples) -> Statistics:
    return statistics_of(tiny)


@pytest.fixture(scope="module")
def trained(tiny: Examples, statistics: Statistics, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Train(quick_config()).run(make_workspace(tmp_path_factory.mktemp("trained")), tiny, statistics)


def _digests(model: Model) -> dict[str, str]:
    return {
        path.relative_to(model.folder).as_posix(): digest_file(path)
        for path in model.folder.rglob("*")
        if path.is_file() and model.folder / "logs" not in path.parents
    }


def test_what_is_trained_classifies_images_that_it_has_not_seen(trained: Model, tiny: Examples) -> None:
    images, labels = images_and_labels(tiny, "test")
    loaded = tf.saved_model.load(str(Model.read(trained.folder).saved_model))

    answer = loaded.signatures["serving_default"](image=tf.constant(images))

    assert (answer["class_id"].numpy() == labels).mean() >= 0.95
    assert [name.decode() for name in answer["class_name"].numpy()] == [tiny.class_names[i] for i in answer["class_id"]]


def test_the_temperature_is_inside_of_what_is_exported(trained: Model, tiny: Examples) -> None:
    images, labels = images_and_labels(tiny, "validation")
    loaded = tf.saved_model.load(str(trained.saved_model))
    probabilities = loaded.signatures["serving_default"](image=tf.constant(images))["probabilities"].numpy()

    assert trained.temperature != 1
    with np.load(trained.validation_file) as validation:
        np.testing.assert_allclose(validation["confidence"], probabilities.max(axis=1), atol=1e-5)
        np.testing.assert_array_equal(validation["correct"], probabilities.argmax(axis=1) == labels)


def test_the_model_says_what_it_is(trained: Model) -> None:
    assert trained.recipe == "small_data"
    assert (trained.image_height, trained.image_width) == (32, 32)
    assert trained.class_names == ("red", "green", "blue")
    assert (trained.epochs, trained.trained_images) == (6.0, 96)
    blocks = 9 * (24 * 8 + 8 * 8 + 8 * 8 + 8 * 8 + 8 * 16 + 16 * 16) + 2 * (8 + 8 + 16)
    assert trained.parameter_count == blocks + 24 + 16 * 3
    assert trained.validation_accuracy is not None
    assert trained.validation_accuracy >= 0.9


def test_the_history_has_a_record_an_epoch(trained: Model) -> None:
    history = json.loads((trained.folder / "history.json").read_text())

    names = ["epoch", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert [list(record) for record in history] == [names] * 6
    assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["validation_accuracy"] == trained.validation_accuracy


def test_the_logs_hold_events_and_figures(trained: Model) -> None:
    logs = trained.folder / "logs"

    assert list(logs.glob("events.out.tfevents.*"))
    assert json.loads((logs / "training.json").read_text())["steps"] == 6 * 4


def test_a_seed_makes_two_trainings_the_same_to_the_last_bit(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    again = Train(quick_config()).run(make_workspace(tmp_path / "again"), tiny, statistics)
    other = Train(quick_config(random_seed=1)).run(make_workspace(tmp_path / "other"), tiny, statistics)

    assert _digests(again) == _digests(trained)
    assert _digests(other) != _digests(trained)


@pytest.mark.long
def test_after_kill_9_it_goes_on_and_ends_with_the_same_files(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    workspace = make_workspace(tmp_path)
    train_until_killed(workspace, quick_config(), tiny, statistics, epochs=2)
    (workspace.scratch / ".checkpoint.npz.5f0c11aa").write_bytes(b"killed while writing")
    started_at: list[float] = []

    reporting = replace(workspace, report=lambda done, total, note: started_at.append(done))
    resumed = Train(quick_config()).run(reporting, tiny, statistics)

    assert 4 < started_at[0] <= 24
    assert _digests(resumed) == _digests(trained)


@pytest.mark.long
@pytest.mark.parametrize(
    "values",
    [
        {"recipe": "tutorial", "batch_size": 24, "epochs": 3.0},
        {"random_crop_area_fraction": (0.3, 1.0), "epochs": 3.0},
        {"easy_fraction": 0.4, "epochs": 4.0},
    ],
    ids=["dropout and Adam", "streamed windows", "easy images left out"],
)
def test_killed_within_an_epoch_it_ends_with_the_same_files(
    tiny: Examples, statistics: Statistics, tmp_path: Path, values: dict[str, Any]
) -> None:
    config = quick_config(**values)
    whole = Train(config).run(make_workspace(tmp_path / "whole"), tiny, statistics)
    workspace = make_workspace(tmp_path / "killed")
    train_until_killed(workspace, config, tiny, statistics, epochs=2, steps=2)
    started_at: list[float] = []

    reporting = replace(workspace, report=lambda done, total, note: started_at.append(done))
    resumed = Train(config).run(reporting, tiny, statistics)

    assert 10 < started_at[0] <= 12
    assert _digests(resumed) == _digests(whole)


@pytest.mark.parametrize("epochs", [0.01, 1.25])
def test_parts_of_epochs_are_trained(
    tiny: Examples, statistics: Statistics, workspace: Workspace, epochs: float
) -> None:
    model = Train(quick_config(epochs=epochs)).run(workspace, tiny, statistics)

    steps = json.loads((model.folder / "logs" / "training.json").read_text())["steps"]
    assert steps == max(1, round(epochs * 4))


def test_a_batch_larger_than_the_data_is_all_of_it(
    tiny: Examples, statistics: Statistics, workspace: Workspace
) -> None:
    model = Train(quick_config(batch_size=97, epochs=2.0)).run(workspace, tiny, statistics)

    assert json.loads((model.folder / "logs" / "training.json").read_text())["steps"] == 2


def test_without_a_validation_split_nothing_is_validated(
    tiny: Examples, statistics: Statistics, workspace: Workspace
) -> None:
    splits = {name: tiny.splits[name] for name in ("train", "test")}
    counts = {name: tiny.example_counts[name] for name in splits}
    examples = tiny.model_copy(update={"splits": splits, "example_counts": counts})

    model = Train(quick_config(epochs=1.0)).run(workspace, examples, statistics)

    assert model.validation_accuracy is None
    assert "validation_loss" not in json.loads((model.folder / "history.json").read_text())[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("epochs", "head_learning_rate", "said"),
    [
        (6.0, 1e38, r"The loss became (nan|inf) at step [123] of 24, at learning rate 0\.\d+ of the filters"),
        (0.01, 3e38, r"A weight is no longer a finite number at step 1 of 1, at learning rate 0\.\d+ of the filters"),
    ],
    ids=["in the middle", "in the last step"],
)
def test_a_diverged_training_is_refused(
    tiny: Examples,
    statistics: Statistics,
    workspace: Workspace,
    precision: str,
    epochs: float,
    head_learning_rate: float,
    said: str,
) -> None:
    config = quick_config(head_learning_rate=head_learning_rate, precision=precision, epochs=epochs)

    with pytest.raises(ComponentError) as refusal:
        Train(config).run(workspace, tiny, statistics)

    text = str(refusal.value)
    assert re.match(said, text)
    assert "Lower train.learning_rate (now 0.24)" in text
    assert f"head_learning_rate (now {head_learning_rate:g})" in text
    assert ("or set train.precision to float32" in text) == (precision == "bfloat16")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image_size_pixels": 8}, "Images of 8x8 pixels would be trained on at 8 pixels; the network `whitened`"),
        ({"resolution_schedule": ((0.0, 0.5),), "image_size_pixels": 16}, "trained on at 8 pixels"),
        ({"recipe": "tutorial", "image_size_pixels": 20}, "`tutorial` needs at least 24. Set train.image_size_pixels."),
        ({"cutout_pixels": 32}, "A square of 32 pixels would be blanked in images of 32x32 pixels. Set train.cutout"),
    ],
)
def test_images_too_small_are_refused(
    tiny: Examples, statistics: Statistics, workspace: Workspace, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ComponentError) as refusal:
        Train(quick_config(**values)).run(workspace, tiny, statistics)

    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        {"recipe": "tutorial", "learning_rate": 0.001, "batch_size": 12},
        {"resolution_schedule": ((0.0, 0.5), (0.5, 0.75)), "cutout_pixels": 4, "mirror_averaging": True},
        {"optimizer": "nesterov", "learning_rate": 0.0015, "bias_learning_rate": 0.09, "flip": "none"},
        {"image_size_pixels": 24, "convolutions_per_block": 3, "activation": "gelu", "lookahead_steps": 0},
    ],
    ids=["tutorial", "growing", "nesterov", "resnet"],
)
def test_every_way_of_training_learns(
    tiny: Examples, statistics: Statistics, workspace: Workspace, values: dict[str, Any]
) -> None:
    model = Train(quick_config(**{"epochs": 8.0, **values})).run(workspace, tiny, statistics)

    assert model.validation_accuracy is not None
    assert model.validation_accuracy >= 0.8


def test_streamed_images_train_as_well(tiny: Examples, statistics: Statistics, workspace: Workspace) -> None:
    config = quick_config(image_size_pixels=64, max_cache_megabytes=1, epochs=4.0)

    model = Train(config).run(workspace, tiny, statistics)

    assert (model.image_height, model.image_width) == (64, 64)
    assert model.validation_accuracy is not None
    assert model.validation_accuracy >= 0.8
