"""The whole line on a real Flink cluster: one JobManager, two TaskManagers, workers that Flink starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.record import RunFolder
from tests.flink.cluster import TASK_MANAGERS, Cluster, available, cluster

pytestmark = [pytest.mark.flink, pytest.mark.skipif(not available(), reason="java and mvn are not there")]
REPOSITORY = Path(__file__).parents[2]
SHORT = (
    'ingest.splits={"train": "train[:30%]", "validation": "train[96%:]", "blessing": "test[:40%]"}',
    "normalize.shard_examples=400",
    "train.widths=[8, 16, 32]",
    "train.epochs=3",
    "evaluate.shard_examples=100",
    'evaluate.thresholds={"accuracy": {"min": 0.15}}',
    "push.variants=[]",
)


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("flink") / "cluster") as running:
        yield running


@pytest.fixture(scope="module")
def on_flink(flink: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("on_flink")
    return root, report(root, *flink.options())


def report(root: Path, *options: str) -> dict[str, Any]:
    """What one run of the whole line says at its end."""
    command = [sys.executable, "-m", "pipeline.run", "--output=json", f"--pipeline_root={root}", "--run_id=run"]
    settings = [f"--set={each}" for each in SHORT]
    finished = subprocess.run([*command, *settings, *options], capture_output=True, text=True, cwd=REPOSITORY)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def workers(flink: Cluster) -> set[str]:
    """The worker processes that Flink has started."""
    return {folder.name.split("-")[2] for folder in (flink.folder / "tmp").glob("beam-worker-*")}


def test_the_job_is_finished_and_one_version_is_pushed(flink: Cluster, on_flink: tuple[Path, dict[str, Any]]) -> None:
    root, said = on_flink
    assert list(flink.jobs().values()) == ["FINISHED"]
    assert said["status"] == "pushed"
    assert [path.name for path in (root / "pushed").iterdir() if path.name.isdigit()] == ["1"]


def test_every_component_ran_in_a_worker_of_flink(flink: Cluster, on_flink: tuple[Path, dict[str, Any]]) -> None:
    root, said = on_flink
    run = RunFolder(root, "run")
    for node in said["nodes"]:
        assert run.read_node(node["component"]).worker.split(":")[1] in workers(flink)


@pytest.mark.parametrize("component", ["normalize", "evaluate"])
def test_scans_are_spread_over_the_workers(
    flink: Cluster, on_flink: tuple[Path, dict[str, Any]], component: str
) -> None:
    begun = RunFolder(on_flink[0], "run").scanned_by(component)
    assert len(begun) >= 4
    assert len(set(begun)) == TASK_MANAGERS
    assert {worker.split(":")[1] for worker in begun} <= workers(flink)


def test_artifacts_are_those_of_the_direct_runner(on_flink: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    digests = [
        {node["component"]: node["digest"] for node in each["nodes"]} for each in (on_flink[1], report(tmp_path))
    ]
    assert digests[0] == digests[1]
