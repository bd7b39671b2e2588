"""The whole line on a real cluster of each engine, whose machines share nothing but a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.bucket import VERSITYGW, Bucket
from tests.engines.cluster import Cluster, running
from tests.engines.fixtures import bucket, machines, place
from tests.engines.java import available
from tests.engines.machines import Network
from tests.engines.short_line import SCANS, WITH_EMBED, Run, run
from tests.flink.cluster import Cluster as Flink
from tests.spark.cluster import Cluster as Spark

__all__ = ["bucket", "machines", "place"]

pytestmark = [
    pytest.mark.skipif(not available(), reason="java and mvn are not there"),
    pytest.mark.skipif(not VERSITYGW, reason="asked for by `make test-flink` and `make test-spark`"),
]
ENGINES = {"flink": Flink, "spark": Spark}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name), id=name) for name in ENGINES]
)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def own_bucket(bucket: Bucket, engine: str) -> Bucket:
    """With a root for this engine alone."""
    return bucket._replace(root=f"{bucket.root}-{engine}")


@pytest.fixture(scope="module")
def cluster(own_bucket: Bucket, machines: Network, place: Path, engine: str) -> Iterator[Cluster]:
    """Started where the bucket's address and credentials are in the environment: so they are in its workers'."""
    with running(ENGINES[engine](place / engine, machines, own_bucket.artifacts)) as made:
        yield made


@pytest.fixture(scope="module")
def on_cluster(own_bucket: Bucket, cluster: Cluster) -> Run:
    return own_bucket.run(*WITH_EMBED, *cluster.options())


def test_the_job_is_finished_and_one_version_is_pushed(cluster: Cluster, own_bucket: Bucket, on_cluster: Run) -> None:
    assert cluster.states() == ["FINISHED"]
    assert on_cluster.report["status"] == "pushed"
    assert own_bucket.versions() == {"1"}


def test_every_component_ran_in_a_worker_that_the_engine_started(cluster: Cluster, on_cluster: Run) -> None:
    for component in on_cluster.digests:
        assert on_cluster.folder.read_node(component).worker.split(":")[1] in cluster.workers()


@pytest.mark.parametrize("component", SCANS)
def test_scans_are_spread_over_the_machines(cluster: Cluster, on_cluster: Run, component: str) -> None:
    begun = on_cluster.folder.scanned_by(component)
    assert len(begun) >= 4
    assert {worker.split(":")[1] for worker in begun} <= cluster.workers()
    assert on_cluster.machines_of(component) == {machine.name for machine in cluster.machines}


def test_the_machines_are_apart(machines: Network, engine: str) -> None:
    """What that means is tested in `tests/engines/test_machines.py`."""
    if machines.not_apart:
        pytest.skip(f"NOT APART: {machines.not_apart}. The workers of {engine} were processes of this machine.")


def test_a_second_run_has_nothing_to_do(own_bucket: Bucket, cluster: Cluster, on_cluster: Run) -> None:
    assert own_bucket.run(*WITH_EMBED, *cluster.options()).report["status"] == "nothing to do"
    assert cluster.states() == ["FINISHED"]


def test_credentials_are_in_no_log_and_no_record(own_bucket: Bucket, on_cluster: Run) -> None:
    assert own_bucket.files_with_secrets() == []


def test_artifacts_are_those_of_the_direct_runner(on_cluster: Run, tmp_path: Path) -> None:
    assert on_cluster.digests == run(tmp_path, *WITH_EMBED).digests
