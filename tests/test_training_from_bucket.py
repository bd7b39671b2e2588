"""Two machines train together on data in a bucket that is larger than what each may have on its disk."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from components.object_storage import RemoteFolder
from tests.components.many_files import file_sizes, many_files, watched
from tests.s3_server import BUCKET, S3

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parent.parent
FAIL_EVERY = 50
BOUND = 1_000_000
TOGETHER, ALONE = f"s3://{BUCKET}/roots/together", f"s3://{BUCKET}/roots/alone"


class Machine(NamedTuple):
    """With a cache of its own."""

    s3: S3
    cache: Path
    config: Path

    def start(self, root: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", f"--config={self.config}"]
        environment = {**os.environ, "PIPELINE_CACHE_DIR": str(self.cache), **variables}
        return subprocess.Popen(
            [*command, *self.s3.options, *arguments], cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def machines(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> list[Machine]:
    folder = tmp_path_factory.mktemp("machines")
    many = many_files(folder, 1280, 128, validation=160, side=64)
    assert sum(file_sizes(many).values()) > 10 * BOUND
    data = RemoteFolder(f"s3://{BUCKET}/data/many/1.0.0")
    data.upload(many.prepared_directory, [path.name for path in many.prepared_directory.iterdir()])
    training = {"recipe": "small_data", "widths": [8, 8, 16], "epochs": 2, "batch_size": 160, "precision": "float32"}
    streamed = {"image_size_pixels": 32, "max_cache_megabytes": 1, "resolution_schedule": [[0, 1]]}
    config = {
        "ingest": {"dataset": data.url, "splits": {"train": "train", "test": "validation"}},
        "train": training | streamed,
        "evaluate": {"thresholds": {"accuracy": {"min": 0.6}}},
        "push": {"variants": []},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return [Machine(s3, folder / f"cache-{number}", folder / "config.json") for number in range(3)]


def finish(*processes: subprocess.Popen[str]) -> None:
    said = [process.communicate(timeout=600)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said


def history(root: str) -> list[dict[str, Any]]:
    remote = RemoteFolder(root)
    # Of two machines that end at once, both may have put their model there; one of them counts.
    name = next(file.name for file in remote.files("train") if file.name.endswith("/history.json"))
    data = remote.read(name)
    assert data is not None
    return json.loads(data)


def tf_configs() -> list[str]:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, two)]
    return [
        json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}) for index in (0, 1)
    ]


def test_two_machines_within_their_disks_train_as_one_with_all_files(machines: list[Machine]) -> None:
    first, *others = machines
    finish(first.start(ALONE, "--to=train"))
    finish(first.start(TOGETHER, "--to=normalize"))
    streaming = ("--from=train", "--to=train", "--set=train.max_disk_megabytes=1")

    with watched(others[0].cache, ".streamed") as one, watched(others[1].cache, ".streamed") as other:
        started = [
            each.start(TOGETHER, *streaming, TF_CONFIG=config)
            for each, config in zip(others, tf_configs(), strict=True)
        ]
        finish(*started)

    # Muon carries rounding on from step to step.
    for record, expected, tolerance in zip(history(TOGETHER), history(ALONE), (2e-3, 0.1), strict=True):
        assert record == pytest.approx(expected, rel=tolerance)
    for watch in (one, other):
        assert any("-train.tfrecord" in name for name in watch.names)
        assert watch.peak_bytes <= BOUND
