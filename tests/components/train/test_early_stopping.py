from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.train import Train
from components.train.early_stopping import History, best_epoch, course, stopping_epoch
from pipeline.store.folder_digest import digest_folder
from tests.components.train.helpers import (
    images_and_labels,
    make_workspace,
    quick_config,
    statistics_of,
    train_until_killed,
)

# Rates that destroy in the end what was learned.
RISING = {"epochs": 12.0, "early_stopping_patience_epochs": 2, "warmup_fraction": 1.0, "initial_rate_fraction": 0.01}


def _history(*accuracies: float, loss: float = 1.0) -> History:
    return [{"validation_accuracy": accuracy, "validation_loss": loss} for accuracy in accuracies]


@pytest.mark.parametrize(
    ("accuracies", "plateau", "best"),
    [
        ((0.5,), None, 1),
        ((0.5, 0.4), None, 1),
        ((0.5, 0.4, 0.5), 3, 1),
        ((0.1, 0.2, 0.3, 0.4), None, 4),
        ((0.1, 0.3, 0.2, 0.3, 0.9), 4, 5),
    ],
)
def test_a_plateau_is_so_many_epochs_without_a_better_one(
    accuracies: tuple[float, ...], plateau: int | None, best: int
) -> None:
    assert stopping_epoch(_history(*accuracies), patience_epochs=2) == plateau
    assert best_epoch(_history(*accuracies)) == best


def test_of_the_same_accuracy_the_lower_loss_is_better() -> None:
    assert best_epoch(_history(0.5, loss=1.0) + _history(0.5, loss=0.9)) == 2


def test_after_a_plateau_the_rest_of_the_schedule_passes_in_as_many_epochs() -> None:
    shortened = course(_history(0.5, 0.4, 0.3), epochs=20, steps_per_epoch=10, patience_epochs=2)

    assert shortened.total_steps == 50
    assert [shortened.done(step) for step in (0, 10, 30, 40, 50)] == pytest.approx([0, 0.05, 0.15, 0.575, 1])


def test_a_warm_start_has_the_end_of_the_schedule() -> None:
    end = course([], epochs=2, steps_per_epoch=10, skipped_fraction=0.9)

    assert [end.done(step) for step in (0, 10, 20)] == pytest.approx([0.9, 0.95, 1])


@pytest.mark.parametrize("patience", [2, None])
def test_a_training_never_becomes_longer(patience: int | None) -> None:
    unchanged = course(_history(0.5, 0.4, 0.3), epochs=4, steps_per_epoch=10, patience_epochs=patience)

    assert unchanged.total_steps == 40
    assert unchanged.done(40) == 1


@pytest.mark.long
def test_it_stops_early_exports_the_best_epoch_and_survives_kill_9(tiny: Examples, tmp_path: Path) -> None:
    statistics = statistics_of(tiny)
    config = quick_config(**RISING, bias_learning_rate=5.0)
    killed = make_workspace(tmp_path / "killed")
    train_until_killed(killed, config, tiny, statistics, epochs=5)

    whole = Train(config).run(make_workspace(tmp_path / "whole"), tiny, statistics)
    resumed = Train(config).run(killed, tiny, statistics)

    assert 5 < whole.epochs < 12
    assert digest_folder(resumed.folder).digest == digest_folder(whole.folder).digest
    images, labels = images_and_labels(tiny, "validation")
    answer = tf.saved_model.load(str(whole.saved_model)).signatures["serving_default"](image=tf.constant(images))
    assert np.mean(answer["class_id"].numpy() == labels) == pytest.approx(whole.validation_accuracy)
    accuracies = [record["validation_accuracy"] for record in json.loads((whole.folder / "history.json").read_text())]
    assert whole.validation_accuracy == max(accuracies) > accuracies[-1]


def test_early_stop_without_a_validation_split_is_refused(tiny: Examples, workspace: Workspace) -> None:
    splits = {name: tiny.splits[name] for name in ("train", "test")}
    examples = tiny.model_copy(update={"splits": splits, "example_counts": {"train": 96, "test": 48}})

    with pytest.raises(ComponentError) as refusal:
        Train(quick_config(early_stopping_patience_epochs=3)).run(workspace, examples, statistics_of(tiny))

    assert str(refusal.value) == (
        "train.early_stopping_patience_epochs is 3, and there is no validation split to tell by: there are train, "
        "test. Name one in ingest.splits, or set early_stopping_patience_epochs to null."
    )
