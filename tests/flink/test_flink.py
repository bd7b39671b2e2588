"""The whole line on a real Flink cluster: one JobManager, two TaskManagers, workers that Flink starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.java import available
from tests.engines.short_line import Run, run, versions
from tests.flink.cluster import TASK_MANAGERS, Cluster

pytestmark = [pytest.mark.flink, pytest.mark.skipif(not available(), reason="java and mvn are not there")]


@pytest.fixture(scope="module")
def on_flink(flink: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("on_flink"), *flink.options())


def test_the_job_is_finished_and_one_version_is_pushed(flink: Cluster, on_flink: Run) -> None:
    assert list(flink.jobs().values()) == ["FINISHED"]
    assert on_flink.report["status"] == "pushed"
    assert versions(on_flink.root) == ["1"]


def test_every_component_ran_in_a_worker_of_flink(flink: Cluster, on_flink: Run) -> None:
    for component in on_flink.digests:
        assert on_flink.folder.read_node(component).worker.split(":")[1] in flink.workers()


@pytest.mark.parametrize("component", ["normalize", "evaluate"])
def test_scans_are_spread_over_the_workers(flink: Cluster, on_flink: Run, component: str) -> None:
    begun = on_flink.folder.scanned_by(component)
    assert len(begun) >= 4
    assert len(set(begun)) == TASK_MANAGERS
    assert {worker.split(":")[1] for worker in begun} <= flink.workers()


def test_artifacts_are_those_of_the_direct_runner(on_flink: Run, tmp_path: Path) -> None:
    assert on_flink.digests == run(tmp_path).digests
