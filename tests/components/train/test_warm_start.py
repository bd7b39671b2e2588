from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples, Model, StartedFrom, Statistics
from components.train import Train
from components.train.classifier import Classifier
from components.train.network import Network
from components.train.training import build_network
from components.train.warm_start import start_from_best
from pipeline.store.folder_digest import digest_folder
from tests.components.train.helpers import (
    images_and_labels,
    make_workspace,
    publish_trained,
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


def _network(statistics: Statistics, **values: Any) -> Network:
    return build_network(quick_config(random_seed=1, **values), statistics.splits["train"], 32, 32, 3)


def test_it_starts_from_the_best_version_whatever_the_new_statistics_are(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    for number in (1, 2):
        publish_trained(trained, tmp_path / "pushed", number, examples=tiny)
    split = statistics.splits["train"]
    shifted = split.model_copy(update={"channel_mean": (0.1, 0.9, 0.1), "channel_std": (0.1, 0.5, 0.3)})
    network = _network(statistics.model_copy(update={"splits": {"train": shifted}}))

    started_from = start_from_best(network, tiny, tmp_path)

    assert started_from == StartedFrom(version=2, model_digest="digest of 2")
    images, _ = images_and_labels(tiny, "test")
    signature = tf.saved_model.load(str(trained.saved_model)).signatures["serving_default"]
    expected = signature(image=tf.constant(images))["probabilities"].numpy()
    classifier = Classifier(network, 32, 32, trained.class_names, mirror_averaging=True)
    classifier.temperature = trained.temperature
    probabilities = classifier.probabilities(tf.constant(images, tf.float32)).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_it_starts_from_a_version_that_was_trained_in_the_other_precision(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    publish_trained(trained, tmp_path / "root" / "pushed", examples=tiny)
    assert trained.precision == "float32"
    config = quick_config(precision="bfloat16", warm_start="best", warm_start_epochs=1.0)
    (tmp_path / "root").mkdir(exist_ok=True)

    model = Train(config).run(make_workspace(tmp_path / "root"), tiny, statistics)

    assert model.precision == "bfloat16"
    assert model.started_from is not None
    assert model.started_from.version == 1
    assert len(json.loads((model.folder / "history.json").read_text())) == 1


@pytest.mark.parametrize("case", ["none", "classes", "widths", "kind", "depth", "damaged", "test"])
def test_what_cannot_be_started_from_is_said_and_nothing_is_changed(
    trained: Model,
    tiny: Examples,
    statistics: Statistics,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    case: str,
) -> None:
    if case != "none":
        splits = {"train": "train[:80%]+test[:1]", "test": "test[1:]"} if case == "test" else tiny.splits
        names = ("a", "b", "c") if case == "classes" else None
        old = tiny.model_copy(update={"splits": splits})
        version = publish_trained(trained, tmp_path / "pushed", 1, names, examples=old)
    if case == "damaged":
        data = version / "variables" / "variables.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:100])
    values: dict[str, Any] = {
        "widths": {"widths": (8, 8, 8)},
        "kind": {"recipe": "tutorial"},
        "depth": {"convolutions_per_block": 3},
    }
    reason = {
        "none": "nothing is published yet",
        "classes": "version 1 tells other classes apart (a, b, c)",
        "test": "version 1 was made with images that are in the test split now",
        "damaged": "the weights of version 1 cannot be read (IndexError)",
    }.get(case, "version 1 is of another network")
    network = _network(statistics, **values.get(case, {}))
    before = [variable.numpy() for variable in network.variables]

    started_from = start_from_best(network, tiny, tmp_path)

    assert started_from == StartedFrom(reason=reason)
    assert f'train.warm_start is "best", but {reason}: training starts from new weights' in caplog.text
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize("case", ["it was made with other data", "what it was made with is not on record here"])
def test_images_to_bless_with_that_may_have_been_seen_are_told_of(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    old = tiny.model_copy(update={"content": "0" * 64}) if "other data" in case else None
    publish_trained(trained, tmp_path / "pushed", examples=old)
    started_from = start_from_best(_network(statistics), tiny, tmp_path)
    assert started_from.version == 1
    assert started_from.doubt == f"{case}: images of today's test split may be among them"
    assert f"Training starts from version 1: {started_from.doubt}" in caplog.text
    assert str(started_from) == f"version 1 ({started_from.doubt})"


def test_the_same_data_in_other_splits_are_beyond_doubt(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    old = tiny.model_copy(update={"splits": {"train": "train[:10%]", "test": "test"}})
    publish_trained(trained, tmp_path / "pushed", examples=old)
    assert start_from_best(_network(statistics), tiny, tmp_path).doubt == ""


def test_a_doubt_is_handed_on(trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path) -> None:
    """From one warm start to the next, of the same data."""
    version = publish_trained(trained, tmp_path / "pushed", examples=tiny.model_copy(update={"digest": "11"}))
    record = version / "assets.extra" / "provenance.json"
    document = json.loads(record.read_text())
    document["artifacts"]["train"] = {"kind": "model", "summary": {"doubt": "it was made with other data"}}
    record.write_text(json.dumps(document))
    started_from = start_from_best(_network(statistics), tiny.model_copy(update={"digest": "11"}), tmp_path)
    assert started_from.doubt == "it was made with other data"


@pytest.mark.long
def test_killed_it_goes_on_from_its_checkpoint_though_the_version_is_gone(
    trained: Model, tiny: Examples, statistics: Statistics, tmp_path: Path
) -> None:
    config = quick_config(warm_start="best", warm_start_epochs=2.0)
    whole, killed = make_workspace(tmp_path / "whole"), make_workspace(tmp_path / "killed")
    for workspace in (whole, killed):
        publish_trained(trained, workspace.root / "pushed", examples=tiny)
    train_until_killed(killed, config, tiny, statistics, epochs=1)
    shutil.rmtree(killed.root / "pushed")

    resumed = Train(config).run(killed, tiny, statistics)

    history = json.loads((resumed.folder / "history.json").read_text())
    assert history[0]["validation_accuracy"] >= 0.9  # it did not begin at the beginning
    expected = Train(config).run(whole, tiny, statistics)
    assert resumed.epochs == 2
    assert resumed.summary()["started_from"] == "version 1"
    assert resumed.started_from == expected.started_from
    assert digest_folder(resumed.folder).digest == digest_folder(expected.folder).digest
