"""The whole line on a real Flink cluster, whose JobManager and two TaskManagers share nothing but a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.bucket import VERSITYGW, Bucket
from tests.engines.java import available
from tests.engines.machines import Network
from tests.engines.short_line import SCANS, WITH_EMBED, Run, run
from tests.flink.cluster import TASK_MANAGERS, Cluster

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not available(), reason="java and mvn are not there"),
    pytest.mark.skipif(not VERSITYGW, reason="asked for by `make test-flink`"),
]


@pytest.fixture(scope="module")
def on_flink(bucket: Bucket, flink: Cluster) -> Run:
    return bucket.run(*WITH_EMBED, *flink.options())


def test_the_job_is_finished_and_one_version_is_pushed(flink: Cluster, bucket: Bucket, on_flink: Run) -> None:
    assert list(flink.jobs().values()) == ["FINISHED"]
    assert on_flink.report["status"] == "pushed"
    assert bucket.versions() == {"1"}


def test_every_component_ran_in_a_worker_of_flink(flink: Cluster, on_flink: Run) -> None:
    for component in on_flink.digests:
        assert on_flink.folder.read_node(component).worker.split(":")[1] in flink.workers()


@pytest.mark.parametrize("component", SCANS)
def test_scans_are_spread_over_the_machines(flink: Cluster, on_flink: Run, component: str) -> None:
    begun = on_flink.folder.scanned_by(component)
    assert len(begun) >= 4
    assert len(set(begun)) == TASK_MANAGERS
    assert {worker.split(":")[1] for worker in begun} <= flink.workers()
    assert on_flink.machines_of(component) == {machine.name for machine in flink.machines}


def test_the_machines_are_apart(machines: Network) -> None:
    """What that means is tested in `tests/engines/test_machines.py`."""
    if machines.not_apart:
        pytest.skip(f"NOT APART: {machines.not_apart}. The workers were processes of this machine.")


def test_a_second_run_has_nothing_to_do(bucket: Bucket, flink: Cluster, on_flink: Run) -> None:
    assert bucket.run(*WITH_EMBED, *flink.options()).report["status"] == "nothing to do"
    assert list(flink.jobs().values()) == ["FINISHED"]


def test_credentials_are_in_no_log_and_no_record(bucket: Bucket, on_flink: Run) -> None:
    assert bucket.files_with_secrets() == []


def test_artifacts_are_those_of_the_direct_runner(on_flink: Run, tmp_path: Path) -> None:
    assert on_flink.digests == run(tmp_path, *WITH_EMBED).digests
