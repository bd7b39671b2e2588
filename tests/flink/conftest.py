from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.bucket import Bucket
from tests.engines.cluster import running
from tests.engines.fixtures import bucket, machines, place
from tests.engines.machines import Network
from tests.flink.cluster import Cluster

__all__ = ["bucket", "machines", "place"]


@pytest.fixture(scope="module")
def flink(bucket: Bucket, machines: Network, place: Path) -> Iterator[Cluster]:
    """Started where the bucket's address and credentials are in the environment: so they are in its workers'."""
    with running(Cluster(place / "flink", machines, bucket.artifacts)) as cluster:
        yield cluster
