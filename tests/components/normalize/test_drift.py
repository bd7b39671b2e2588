from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples, Statistics
from components.component import ComponentError, Workspace
from components.normalize import Normalize, NormalizeConfig
from tests.components import scanning
from tests.components.published import publish

CLASSES = ["cat", "dog"]
BALANCED = [0, 1] * 10


def examples(folder: Path, labels: list[int], brightness: int = 0) -> Examples:
    random = np.random.default_rng(0)
    images = [random.integers(0, 200, (4, 4, 3), dtype=np.uint8) + np.uint8(brightness) for _ in labels]
    rows = list(zip(images, labels, strict=True))
    return scanning.prepare(folder, CLASSES, {"train": rows, "test": [*rows[:1], (images[1], 1)]})


def run(workspace: Workspace, given: Examples, **checks: object) -> Statistics:
    config = NormalizeConfig.model_validate({"checks": {"leakage": "ignore", **checks}})
    return scanning.run(Normalize(config), workspace, given)


@pytest.fixture
def published(workspace: Workspace, tmp_path: Path) -> None:
    """Version 1, of images as dark as they come and evenly of both classes."""
    run(workspace, examples(tmp_path / "old", BALANCED))
    shutil.copytree(workspace.folder, workspace.root / "normalize" / "key" / "attempt-1")
    record = publish(workspace.root / "pushed", 1, "model", 0.9) / "assets.extra" / "provenance.json"
    manifest = {"normalize": {"kind": "statistics", "folder": "normalize/key/attempt-1"}}
    record.write_text(json.dumps(json.loads(record.read_text()) | {"artifacts": manifest}))
    card = record.with_name("model_card.json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"class_names": CLASSES}))


@pytest.mark.usefixtures("published")
def test_images_that_have_drifted_end_the_run_where_that_is_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    brighter = examples(tmp_path / "brighter", BALANCED, brightness=55)
    with pytest.raises(
        ComponentError, match=r"The \w+ channel of the training images has moved by 0\.9\d deviations from"
    ):
        run(workspace, brighter, drift="fail")
    run(workspace, brighter, drift="fail", max_channel_drift=1.5)
    fewer = examples(tmp_path / "fewer", [0, 0, 0, 1] * 5)
    with pytest.raises(ComponentError, match=r"25% of the training images .*balance of version 1, \"\w+\" above all"):
        run(workspace, fewer, drift="fail")
    run(workspace, fewer, drift="fail", max_class_drift=0.3)


@pytest.mark.usefixtures("published")
def test_a_warning_is_no_part_of_the_statistics(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Or every push would change what the next model is trained on."""
    brighter = examples(tmp_path / "brighter", BALANCED, brightness=55)
    found = run(workspace, brighter)
    assert "channel of the training images has moved" in caplog.text
    assert found == run(workspace, brighter, drift="ignore")


def test_without_a_version_nothing_has_drifted(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(workspace, examples(tmp_path / "data", BALANCED), drift="fail")
    assert not [record for record in caplog.records if record.name.startswith("components.")]


def test_a_version_whose_images_are_not_on_record_is_named(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(workspace.root / "pushed", 1, "model", 0.9)
    run(workspace, examples(tmp_path / "data", BALANCED), drift="fail")
    assert "Drift was not looked for: the statistics of version 1 are not in its record in" in caplog.text


@pytest.mark.usefixtures("published")
def test_statistics_that_are_not_on_this_machine_are_named(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On storage only what a run needs is fetched."""
    shutil.rmtree(workspace.root / "normalize")
    run(workspace, examples(tmp_path / "data", BALANCED), drift="fail")
    place = workspace.root / "normalize" / "key" / "attempt-1"
    assert f"Drift was not looked for: the statistics of version 1 are not in {place}." in caplog.text
