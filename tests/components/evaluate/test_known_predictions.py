"""What a published version said of an image when it was evaluated is read, and what it did not say is computed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from components.component import Workspace
from components.evaluate import EvaluateConfig
from components.evaluate.known_predictions import KnownPredictions, digests
from components.evaluate.planning import plan
from components.evaluate.prediction import Shard, predict
from components.registry.versions import Version, read_version
from tests.components.evaluate import classifiers
from tests.components.published import publish

MARKED = np.float32([0.25, 0.25, 0.5])  # what the network never says


@pytest.fixture
def shard(tiny: Examples, tmp_path: Path) -> Shard:
    """Images 3 to 12, with a baseline of another size."""
    model = classifiers.save(tmp_path / "model", tiny.class_names, classifiers.by_two_pixels)
    old = classifiers.save(tmp_path / "old", tiny.class_names, classifiers.by_two_pixels, size=(16, 16))
    baseline = read_version(publish(tmp_path / "pushed", 1, "11", 0.8, old))
    assert isinstance(baseline, Version)
    folder = tmp_path / "predictions"
    folder.mkdir()
    evaluated = Shard(tiny, old, "test[3:8]", batch_size=4, file=folder / "00000-of-00001.npz")
    predict(evaluated)
    return Shard(tiny, model, "test[3:13]", 4, tmp_path / "now.npz", baseline=baseline, baseline_predictions=folder)


def _mark(file: Path) -> None:
    with np.load(file) as stored:
        columns = dict(stored)
    columns["probabilities"][:] = MARKED
    np.savez(file, **columns)


def test_known_images_are_not_asked_about_again_and_new_ones_are(shard: Shard) -> None:
    assert shard.baseline_predictions is not None
    _mark(shard.baseline_predictions / "00000-of-00001.npz")
    asked = predict(dataclasses.replace(shard, baseline_predictions=None)).baseline_probabilities
    found = predict(shard).baseline_probabilities
    assert found is not None
    assert asked is not None
    np.testing.assert_array_equal(found[:5], np.tile(MARKED, (5, 1)))
    np.testing.assert_allclose(found[5:], asked[5:], rtol=1e-5)


def test_what_is_read_is_what_the_network_says(shard: Shard) -> None:
    asked = predict(dataclasses.replace(shard, baseline_predictions=None))
    found = predict(shard)
    np.testing.assert_allclose(found.baseline_probabilities, asked.baseline_probabilities, rtol=1e-5)
    np.testing.assert_array_equal(found.probabilities, asked.probabilities)


@pytest.mark.parametrize("damage", ["gone", "cut off", "of an older form"])
def test_what_cannot_be_read_is_asked_for(damage: str, shard: Shard) -> None:
    assert shard.baseline_predictions is not None
    file = shard.baseline_predictions / "00000-of-00001.npz"
    _mark(file)
    if damage == "gone":
        file.unlink()
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-200])
    else:
        np.savez(file, label=np.zeros(5, int), probabilities=np.tile(MARKED, (5, 1)))
    found = predict(shard).baseline_probabilities
    assert found is not None
    assert not (found == MARKED).all(axis=1).any()


def test_one_pixel_makes_another_image(tmp_path: Path) -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1, 3, 3, 2] = 1
    np.savez(tmp_path / "0.npz", digest=digests(images[:1]), probabilities=MARKED[np.newaxis])
    found = KnownPredictions(tmp_path).find(digests(images))
    assert list(found) == [0]
    np.testing.assert_array_equal(found[0], MARKED)


@pytest.mark.parametrize("forced", [False, True])
def test_a_forced_evaluation_asks_about_all_images(
    forced: bool, workspace: Workspace, tiny: Examples, tmp_path: Path
) -> None:
    model = classifiers.save(tmp_path / "model", tiny.class_names, classifiers.by_two_pixels)
    version = publish(workspace.root / "pushed", 1, "11", 0.8, model)
    provenance = version / "assets.extra" / "provenance.json"
    record = json.loads(provenance.read_text())
    record["artifacts"]["evaluate"]["folder"] = "evaluate/0/attempt-1"
    provenance.write_text(json.dumps(record))
    here = dataclasses.replace(workspace, fingerprint="11", forced=forced)
    config = EvaluateConfig.model_validate({"thresholds": {"accuracy": {"min": 0.1}}})
    for shard in plan(here, tiny, model, config):
        known = shard.baseline_predictions
        assert known == (None if forced else workspace.root / "evaluate/0/attempt-1/predictions")
