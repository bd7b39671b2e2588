"""Fixtures of the engines' tests, one for all tests of a module: machines, and a bucket that they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.bucket import Bucket, serving
from tests.engines.machines import Network, network

__all__ = ["bucket", "machines", "place"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all that the engine, its machines and the bucket write."""
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def machines(place: Path) -> Iterator[Network]:
    """What connects the machines that an engine starts its workers on."""
    with network(place / "machines") as made:
        yield made


@pytest.fixture(scope="module")
def bucket(machines: Network, place: Path) -> Iterator[Bucket]:
    """A bucket that all machines reach."""
    with serving(place, machines.address) as served:
        yield served
