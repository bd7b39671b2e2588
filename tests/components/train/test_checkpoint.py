from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.train.checkpoint import Checkpoint
from pipeline.store.folder_upload import is_whole


@pytest.fixture
def variables() -> list[tf.Variable]:
    return [tf.Variable([[1.0, 2.0]], name="a/b"), tf.Variable(3.0, name="a/b"), tf.Variable([4, 5])]


@pytest.fixture
def saved(tmp_path: Path, variables: list[tf.Variable]) -> Path:
    path = tmp_path / "checkpoint.npz"
    Checkpoint(path, "this work").save(variables, {"history": [{"loss": 0.5}]})
    return path


def test_restore_gives_back_what_was_saved(saved: Path, variables: list[tf.Variable]) -> None:
    for variable in variables:
        variable.assign(tf.zeros_like(variable))

    assert Checkpoint(saved, "this work").restore(variables) == {"history": [{"loss": 0.5}]}
    np.testing.assert_array_equal(variables[0].numpy(), [[1, 2]])
    assert variables[1].numpy() == 3
    np.testing.assert_array_equal(variables[2].numpy(), [4, 5])
    assert [path.name for path in saved.parent.iterdir()] == ["checkpoint.npz"]


def test_a_draft_is_hidden_so_that_it_is_not_shared(
    tmp_path: Path, variables: list[tf.Variable], monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts: list[Path] = []
    monkeypatch.setattr("os.replace", lambda draft, final: drafts.append(draft))
    Checkpoint(tmp_path / "checkpoint.npz", "this work").save(variables, {})
    (draft,) = drafts
    assert draft.is_file()
    assert not is_whole(draft)


def test_without_a_checkpoint_there_is_nothing(tmp_path: Path, variables: list[tf.Variable]) -> None:
    assert Checkpoint(tmp_path / "checkpoint.npz", "this work").restore(variables) is None


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.9])
def test_a_truncated_checkpoint_is_left_aside(
    saved: Path, variables: list[tf.Variable], kept: float, caplog: pytest.LogCaptureFixture
) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(len(content) * kept)])

    with caplog.at_level(logging.WARNING):
        assert Checkpoint(saved, "this work").restore(variables) is None
    assert "cannot be read" in caplog.text
    assert "training starts anew" in caplog.text


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.95])
def test_a_damaged_checkpoint_is_left_aside(saved: Path, variables: list[tf.Variable], place: float) -> None:
    content = bytearray(saved.read_bytes())
    start = int(len(content) * place)
    content[start : start + 40] = b"\xff" * 40
    saved.write_bytes(content)

    assert Checkpoint(saved, "this work").restore(variables) is None
    assert variables[1].numpy() == 3


@pytest.mark.parametrize("foreign", ["other work", "fewer variables", "other shapes", "no checkpoint at all"])
def test_a_foreign_checkpoint_is_left_aside(
    saved: Path, variables: list[tf.Variable], foreign: str, caplog: pytest.LogCaptureFixture
) -> None:
    work, expected = "this work", variables
    if foreign == "other work":
        work = "that work"
    elif foreign == "fewer variables":
        expected = variables[:2]
    elif foreign == "other shapes":
        expected = [tf.Variable([[1.0, 2.0, 3.0]], name="a/b"), *variables[1:]]
    else:
        np.savez(saved, progress=np.array("[]"))

    with caplog.at_level(logging.WARNING):
        assert Checkpoint(saved, work).restore(expected) is None
    assert "training starts anew" in caplog.text
