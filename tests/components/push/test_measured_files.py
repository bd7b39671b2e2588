"""What the card says of time and memory, and that a push ends where a bound is broken."""

from __future__ import annotations

import json
import sys

import pytest
import tensorflow as tf

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.push import Push, PushConfig
from components.push.card import read_card
from components.push.measurement import find_machine


def test_the_card_has_the_time_and_memory_of_what_runs_here(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    version = Push(PushConfig(measured_runs=3)).run(workspace, tiny, model, evaluation).version_directory
    assert version is not None
    card = read_card(version)
    assert card.machine == find_machine()
    saved_model, package = (row.measurement for row in card.files)
    assert (package is None) == (sys.platform != "darwin")
    assert saved_model is not None
    assert saved_model.runtime == f"TensorFlow {tf.__version__}"
    assert 0 < saved_model.latency[0].median_milliseconds < saved_model.start_milliseconds
    for page in ("model_card.html", "model_card.md"):
        assert "Time and memory" in (version / "assets.extra" / page).read_text()


def test_nothing_is_measured_if_nobody_wants_it(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    config = PushConfig(variants=(), measured_runs=0)
    version = Push(config).run(workspace, tiny, model, evaluation).version_directory
    assert version is not None
    card = read_card(version)
    assert (card.machine, card.files[0].measurement) == (None, None)
    assert "Time and memory" not in (version / "assets.extra/model_card.md").read_text()
    assert not (workspace.folder / "logs" / "latency.txt").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_bytes": {"saved_model": 99}}, r"saved_model has [\d,]+ bytes; at most 99 are allowed"),
        ({"max_bytes": {"float16": 999}, "variants": ["float16"]}, r"Classifier\.mlpackage has .* at most 999 are"),
        ({"max_latency_milliseconds": {"saved_model": 0.001}}, r"saved_model takes .* ms for .* at most 0\.001 ms are"),
    ],
    ids=["the SavedModel's size", "a file's size", "time"],
)
def test_a_broken_bound_publishes_nothing(
    values: dict[str, object],
    said: str,
    workspace: Workspace,
    tiny: Examples,
    model: Model,
    evaluation: Evaluation,
) -> None:
    config = PushConfig.model_validate_json(json.dumps({"variants": [], "measured_runs": 1, **values}))
    with pytest.raises(ComponentError, match=said):
        Push(config).run(workspace, tiny, model, evaluation)
    assert {path.name for path in (workspace.root / "pushed").iterdir()} <= {".lock"}
