from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from components.artifacts import Examples, Model, Statistics
from components.component import ComponentError, Workspace
from components.train import Train, TrainConfig, devices, loop
from components.train.devices import Share, is_chief, strategy, worker_share
from pipeline.store.folder_digest import digest_folder
from tests.components.train.helpers import make_workspace, quick_config, statistics_of

# Batches of 25 on two devices: 13 and 12 images. Too few epochs to leave easy images out, but their losses are kept.
CONFIGS = {
    "cached": quick_config(epochs=2.0, batch_size=25, cutout_pixels=8, easy_fraction=0.25),
    "streamed": quick_config(epochs=2.0, batch_size=25, random_crop_area_fraction=(0.5, 1.0), easy_fraction=0.25),
}


class Alone(NamedTuple):
    config: TrainConfig
    model: Model


@pytest.fixture(scope="module", params=[pytest.param("cached", marks=pytest.mark.long), "streamed"])
def alone(request: pytest.FixtureRequest, tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    root, config = tmp_path_factory.mktemp("alone"), CONFIGS[request.param]
    statistics_of(tiny).model_copy(update={"folder": root}).write()
    return Alone(config, Train(config).run(make_workspace(root), tiny, Statistics.read(root)))


def _start(script: str, root: Path, alone: Alone, tiny: Examples, environment: dict[str, str]) -> subprocess.Popen:
    root.mkdir(exist_ok=True)
    statistics = alone.model.folder.parent
    arguments = [root, statistics, tiny.folder, tiny.prepared_directory, alone.config.model_dump_json()]
    command = [sys.executable, "-c", script + TRAIN, *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def _model(process: subprocess.Popen, root: Path) -> Model:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return Model.read(root / "folder")


def _assert_same(model: Model, expected: Model) -> None:
    """But for rounding."""
    histories = [json.loads((each.folder / "history.json").read_text()) for each in (model, expected)]
    assert histories[0][0]["loss"] == pytest.approx(histories[1][0]["loss"], rel=1e-6)
    for record, expected_record in zip(*histories, strict=True):
        assert record == pytest.approx(expected_record, rel=2e-3)
    confidences = [np.load(each.validation_file)["confidence"] for each in (model, expected)]
    # Muon carries rounding on from step to step, and a temperature of 1/20 shows it twenty times as large.
    np.testing.assert_allclose(*confidences, atol=5e-3)


def test_two_devices_of_one_process_train_as_one_does(alone: Alone, tiny: Examples, tmp_path: Path) -> None:
    process = _start(TWO_DEVICES, tmp_path / "two", alone, tiny, {})

    _assert_same(_model(process, tmp_path / "two"), alone.model)
    np.testing.assert_allclose(_losses(tmp_path / "two"), _losses(alone.model.folder.parent), rtol=0.05)


def _losses(root: Path) -> np.ndarray:
    with np.load(root / "scratch" / "checkpoint.npz") as checkpoint:
        (key,) = (name for name in checkpoint.files if name.endswith("losses:0"))
        return checkpoint[key]


@pytest.mark.long
def test_two_processes_train_as_one_does_and_the_chief_keeps_the_checkpoint(
    alone: Alone, tiny: Examples, tmp_path: Path
) -> None:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, two)]
    roots = [tmp_path / "chief", tmp_path / "other"]
    processes = [
        _start("", root, alone, tiny, {"TF_CONFIG": json.dumps(_task(addresses, index))})
        for index, root in enumerate(roots)
    ]

    chief, other = (_model(process, root) for process, root in zip(processes, roots, strict=True))

    _assert_same(chief, alone.model)
    assert digest_folder(chief.folder).digest == digest_folder(other.folder).digest
    assert [(root / "scratch" / "checkpoint.npz").exists() for root in roots] == [True, False]


def _task(addresses: list[str], index: int) -> dict[str, object]:
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker 0", "TF_CONFIG is 'worker 0': Expecting value"),
        ('["a:1"]', "TF_CONFIG is '[\"a:1\"]': expected a JSON object. Leave it unset to train on this machine."),
        (json.dumps(_task(["127.0.0.1:9", "127.0.0.1:10"], 0)), "Run up to `normalize` first, without TF_CONFIG"),
    ],
)
def test_what_keeps_workers_from_meeting_is_said(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    tf.constant(1)
    monkeypatch.setenv("TF_CONFIG", text)

    with pytest.raises(ComponentError) as refusal:
        strategy.__wrapped__()

    assert said in str(refusal.value)


@pytest.mark.parametrize("type_", ["worker", "chief"])
def test_a_cluster_of_one_trains_as_one_machine_does(
    type_: str, tiny: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though TensorFlow has worked in this process before: nobody is to be met."""
    config, statistics = quick_config(epochs=1.0), statistics_of(tiny)
    alone = Train(config).run(make_workspace(tmp_path / "alone"), tiny, statistics)
    only = {"cluster": {type_: ["127.0.0.1:9"]}, "task": {"type": type_, "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(only))
    monkeypatch.setattr(devices, "strategy", strategy.__wrapped__)

    model = Train(config).run(make_workspace(tmp_path / "one"), tiny, statistics)

    assert digest_folder(model.folder).digest == digest_folder(alone.folder).digest
    assert (tmp_path / "one" / "scratch" / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("cluster", "type_", "index", "chief"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, False),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "chief", 0, True),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "worker", 0, False),
    ],
)
def test_who_is_chief(
    cluster: dict[str, list[str]], type_: str, index: int, chief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": type_, "index": index}}))
    assert is_chief() == chief


def test_a_process_without_others_is_chief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert is_chief()


@pytest.mark.parametrize(
    ("config", "share"),
    [
        (None, Share(0, 1)),
        ({"task": {"type": "worker", "index": 0}}, Share(0, 1)),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, Share(0, 1)),
        ({"cluster": {"chief": ["a:1"]}}, Share(0, 1)),
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}, Share(1, 2)),
        ({"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, Share(1, 2)),
    ],
)
def test_the_share_of_each_worker(
    config: dict[str, object] | None, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps(config) if config else "")

    assert worker_share() == share


def test_more_workers_than_images_in_a_batch_are_refused(
    tiny: Examples, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "worker_share", lambda: Share(0, 3))

    with pytest.raises(
        ComponentError, match=r"A batch of 2 images cannot be shared by 3 workers. Raise train.batch_size to"
    ):
        Train(quick_config(batch_size=2)).run(workspace, tiny, statistics_of(tiny))


TWO_DEVICES = """
import tensorflow as tf
from components.train import devices
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices.strategy = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
"""

TRAIN = """
import sys
from pathlib import Path
from components.artifacts import Examples, Statistics
from components.train import Train, TrainConfig
from tests.components.train.helpers import make_workspace

root, statistics, examples, directory, config = sys.argv[1:]
examples = Examples.read(Path(examples), directory=Path(directory))
statistics = Statistics.read(Path(statistics))
Train(TrainConfig.model_validate_json(config)).run(make_workspace(Path(root)), examples, statistics)
"""
