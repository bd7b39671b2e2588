from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flink.cluster import Cluster, cluster


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("flink") / "cluster") as running:
        yield running
