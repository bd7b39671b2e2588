"""The whole line on Spark in one process, which needs no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.java import available, class_path
from tests.engines.short_line import WITH_EMBED, run, versions
from tests.spark.cluster import PROJECT, job_server_jar, spark_options

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not available(), reason="java and mvn are not there"),
]


def test_it_makes_what_the_direct_runner_makes(tmp_path: Path) -> None:
    jar = job_server_jar(tmp_path / "job-server.jar", class_path(PROJECT))
    on_spark = run(tmp_path / "spark", *WITH_EMBED, *spark_options(jar, "local[2]"), "--environment_type=LOOPBACK")
    assert versions(tmp_path / "spark") == ["1"]
    assert on_spark.digests == run(tmp_path / "direct", *WITH_EMBED).digests
