from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.clients import Differences, ask, make_task, print_first_photos
from components.push import PushConfig
from components.push.evaluated_images import EvaluatedImages
from components.registry.layout import MODEL_CARD
from pipeline.errors import UsageError

BOUND = PushConfig().max_probability_difference
PHOTOS = 12


def test_a_tie_is_what_push_takes_for_one() -> None:
    half = BOUND / 2
    expected = np.array([[0.5 + half / 2, 0.5 - half / 2, 0], [0.5 + BOUND, 0.5 - BOUND, 0], [1, 0, 0]], np.float32)
    answered = np.array([[0.5 - half / 2, 0.5 + half / 2, 0], [0.4, 0.6, 0], [1, 0, 0]], np.float32)
    model = EvaluatedImages(Path("unread.npy"), np.zeros(3, np.int64), expected)
    found = Differences.of(answered, model)
    assert (found.same, found.ties, found.other) == (1, 1, 1)
    assert found.largest == pytest.approx(0.1 + BOUND)


def test_a_client_is_asked_about_the_images_of_the_evaluation(
    sample_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(sample_root / "pushed" / "1", PHOTOS, tmp_path)
    assert [np.asarray(Image.open(photo)).tolist() for photo in task.photos] == task.evaluated.images.tolist()
    failures: list[str] = []
    (row,) = ask(task, ["TensorFlow", "ONNX Runtime"], failures)
    assert failures == []
    assert (row.file, row.model.same, row.model.ties, row.model.other) == ("saved_model", PHOTOS, 0, 0)
    assert row.proof == row.model
    print_first_photos([row], task)
    printed = capsys.readouterr().out
    assert "ONNX Runtime was not asked: the version has no .onnx: see push.variants." in printed
    assert printed.splitlines()[-1].startswith(f"1       {row.top[0][0]} {row.top[0][1]:.4f}")
    labels = json.loads((sample_root / "pushed" / "1" / "assets.extra" / "model_card.json").read_text())["class_names"]
    assert labels[task.evaluated.probabilities[0].argmax()] == row.top[0][0]


def test_a_client_that_fails_does_not_keep_the_next_one_from_being_asked(sample_root: Path, tmp_path: Path) -> None:
    task = make_task(sample_root / "pushed" / "1", PHOTOS, tmp_path)
    card = {**task.card, "files": [*task.card["files"], {"file": "Classifier.tflite"}]}  # which is not there
    failures: list[str] = []
    version = shutil.copytree(sample_root / "pushed" / "1", tmp_path / "1")
    (version / MODEL_CARD).write_text(json.dumps(card))
    (row,) = ask(replace(task, version=version), ["LiteRT", "TensorFlow"], failures)
    assert row.client.startswith("TensorFlow ")
    (failure,) = failures
    assert failure.startswith("LiteRT failed: ")
    assert "Classifier.tflite" in failure


def test_a_version_away_from_its_root_is_refused(sample_root: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_root / "pushed" / "1", tmp_path / "pushed" / "1")
    with pytest.raises(UsageError, match="There are no runs in"):
        make_task(tmp_path / "pushed" / "1", PHOTOS, tmp_path)
