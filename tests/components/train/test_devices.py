from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples, Model, Statistics
from components.component import Refusal
from components.train import Train
from components.train.devices import is_chief, strategy
from pipeline.store import digest_folder
from tests.components.train.helpers import make_workspace, quick_config, statistics_of

# Batches of 25 on two devices: 13 and 12 images.
CONFIG = quick_config(epochs=2.0, batch_size=25)


@pytest.fixture(scope="module")
def alone(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Model:
    root = tmp_path_factory.mktemp("alone")
    statistics_of(tiny).model_copy(update={"folder": root}).write()
    return Train(CONFIG).run(make_workspace(root), tiny, Statistics.read(root))


def _start(script: str, root: Path, statistics: Path, tiny: Examples, environment: dict[str, str]) -> subprocess.Popen:
    root.mkdir(exist_ok=True)
    arguments = [root, statistics, tiny.folder, tiny.prepared_directory, CONFIG.model_dump_json()]
    command = [sys.executable, "-c", script + TRAIN, *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def _model(process: subprocess.Popen, root: Path) -> Model:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return Model.read(root / "folder")


def _assert_same(model: Model, expected: Model) -> None:
    """But for rounding."""
    histories = [json.loads((each.folder / "history.json").read_text()) for each in (model, expected)]
    for record, expected_record in zip(*histories, strict=True):
        assert record == pytest.approx(expected_record, rel=2e-3)
    confidences = [np.load(each.validation_file)["confidence"] for each in (model, expected)]
    np.testing.assert_allclose(*confidences, atol=2e-3)


def test_two_devices_of_one_process_train_as_one_does(alone: Model, tiny: Examples, tmp_path: Path) -> None:
    process = _start(TWO_DEVICES, tmp_path / "two", alone.folder.parent, tiny, {})

    _assert_same(_model(process, tmp_path / "two"), alone)


def test_two_processes_train_as_one_does_and_the_chief_keeps_the_checkpoint(
    alone: Model, tiny: Examples, tmp_path: Path
) -> None:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, two)]
    roots = [tmp_path / "chief", tmp_path / "other"]
    processes = [
        _start("", root, alone.folder.parent, tiny, {"TF_CONFIG": json.dumps(_task(addresses, index))})
        for index, root in enumerate(roots)
    ]

    chief, other = (_model(process, root) for process, root in zip(processes, roots, strict=True))

    _assert_same(chief, alone)
    assert digest_folder(chief.folder).digest == digest_folder(other.folder).digest
    assert [(root / "scratch" / "checkpoint.npz").exists() for root in roots] == [True, False]


def _task(addresses: list[str], index: int) -> dict[str, object]:
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker 0", "TF_CONFIG is 'worker 0': Expecting value"),
        (json.dumps(_task(["127.0.0.1:9"], 0)), "Run up to `normalize` first, without TF_CONFIG"),
    ],
)
def test_what_keeps_workers_from_meeting_is_said(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    tf.constant(1)
    monkeypatch.setenv("TF_CONFIG", text)

    with pytest.raises(Refusal) as refusal:
        strategy.__wrapped__()

    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("task", "chief"),
    [
        (None, True),
        ({"type": "worker", "index": 0}, True),
        ({"type": "worker", "index": 1}, False),
        ({"type": "chief", "index": 0}, True),
    ],
)
def test_who_is_chief(task: dict[str, object] | None, chief: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if task:
        monkeypatch.setenv("TF_CONFIG", json.dumps({"task": task}))

    assert is_chief() == chief


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
