"""The whole line on a standalone Spark cluster whose machines share nothing but a bucket, and in local mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.bucket import VERSITYGW, Bucket
from tests.engines.java import available
from tests.engines.machines import Network
from tests.engines.short_line import SCANS, WITH_EMBED, Run, run, versions
from tests.spark.cluster import WORKERS, Cluster, spark_options

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not available(), reason="java and mvn are not there"),
    pytest.mark.skipif(not VERSITYGW, reason="asked for by `make test-spark`"),
]


@pytest.fixture(scope="module")
def on_spark(bucket: Bucket, spark: Cluster) -> Run:
    return bucket.run(*WITH_EMBED, *spark.options())


@pytest.fixture(scope="module")
def on_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("on_this_machine"), *WITH_EMBED)


def test_the_application_is_finished_and_one_version_is_pushed(spark: Cluster, bucket: Bucket, on_spark: Run) -> None:
    assert spark.applications() == ["FINISHED"]
    assert on_spark.report["status"] == "pushed"
    assert bucket.versions() == {"1"}


def test_every_component_ran_in_a_worker_that_spark_started(spark: Cluster, on_spark: Run) -> None:
    assert len({executor.parents[1] for executor in spark.executors()}) == WORKERS
    for component in on_spark.digests:
        assert on_spark.folder.read_node(component).worker.split(":")[1] in spark.workers()


@pytest.mark.parametrize("component", SCANS)
def test_scans_are_spread_over_the_machines(spark: Cluster, on_spark: Run, component: str) -> None:
    begun = on_spark.folder.scanned_by(component)
    assert len(begun) >= 4
    assert len(set(begun)) >= WORKERS  # Spark may scan a shard again, in a worker that it starts anew
    assert {worker.split(":")[1] for worker in begun} <= spark.workers()
    assert on_spark.machines_of(component) == {machine.name for machine in spark.machines}


def test_the_machines_are_apart(machines: Network) -> None:
    """What that means is tested in `tests/engines/test_machines.py`."""
    if machines.not_apart:
        pytest.skip(f"NOT APART: {machines.not_apart}. The workers were processes of this machine.")


def test_a_second_run_has_nothing_to_do(bucket: Bucket, spark: Cluster, on_spark: Run) -> None:
    assert bucket.run(*WITH_EMBED, *spark.options()).report["status"] == "nothing to do"
    assert spark.applications() == ["FINISHED"]


def test_credentials_are_in_no_log_and_no_record(bucket: Bucket, on_spark: Run) -> None:
    assert bucket.files_with_secrets() == []


def test_artifacts_are_those_of_the_direct_runner(on_spark: Run, on_this_machine: Run) -> None:
    assert on_spark.digests == on_this_machine.digests


def test_local_mode_makes_the_same(spark: Cluster, on_this_machine: Run, tmp_path: Path) -> None:
    local = spark_options(spark.job_server_jar(), "local[2]")
    locally = run(tmp_path, *WITH_EMBED, *local, "--environment_type=LOOPBACK")
    assert versions(tmp_path) == ["1"]
    assert locally.digests == on_this_machine.digests
    assert spark.applications() == ["FINISHED"]
