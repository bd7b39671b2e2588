"""The line with its images and its root in a bucket, when machines are lost, or the bucket is away for a while."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.engines.bucket import VERSITYGW, Bucket, serving
from tests.engines.faults import WAIT_SECONDS, Driver, Outages, assert_as_undisturbed, served
from tests.engines.short_line import WITH_EMBED, Run, run

pytestmark = [
    pytest.mark.storage_faults,
    pytest.mark.skipif(not VERSITYGW, reason="asked for by `make test-storage-faults`"),
]
OPTIONS = (*WITH_EMBED, "--set=train.epochs=20")
MOMENTS = (
    *("ingest", "normalize", "embed", "inspect", "train", "train/*/scratch/checkpoint.npz", "evaluate"),
    *("push", "pushed/claims/*", "pushed/identities/*"),
)
Start = Callable[..., Driver]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with serving(tmp_path_factory.mktemp("bucket")) as made:
        yield made


@pytest.fixture(scope="module")
def outage(server: Bucket) -> Iterator[Outages]:
    with closing(Outages(server)) as made:
        yield made


@pytest.fixture
def bucket(server: Bucket, request: pytest.FixtureRequest) -> Bucket:
    """With a root for one test alone."""
    return server._replace(root=f"{server.root}-{re.sub(r'[^a-z]+', '-', request.node.name)}")


@pytest.fixture
def start(bucket: Bucket) -> Iterator[Start]:
    """Starts the command on one more machine, or beside another one."""
    started: list[Driver] = []

    def begin(beside: Driver | None = None) -> Driver:
        started.append(Driver(bucket, f"run-{len(started)}", *OPTIONS, beside=beside))
        return started[-1]

    yield begin
    for driver in started:
        driver.lose()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)


def has_come(moment: str, driver: Driver) -> bool:
    """Whether a component has begun, which may have run beside an earlier one, or the bucket has an object."""
    if "/" in moment:
        return any(served(driver.bucket).glob(moment))
    return driver.node(moment).state != "waiting"


def test_machine_after_machine_is_lost_in_every_component(start: Start, bucket: Bucket, undisturbed: Run) -> None:
    for moment in MOMENTS:
        driver = start()
        driver.wait_until(functools.partial(has_come, moment, driver))
        driver.lose()
    assert_as_undisturbed(bucket, start().end(), undisturbed)


@pytest.mark.parametrize("machines", ["one", "two"])
def test_the_command_is_given_twice_at_once(start: Start, bucket: Bucket, undisturbed: Run, machines: str) -> None:
    first = start()
    second = start(first if machines == "one" else None)
    for report in [first.end(), second.end()]:
        assert_as_undisturbed(bucket, report, undisturbed)


@pytest.mark.parametrize(("component", "outcome"), [("normalize", "refuse"), ("train", "hang"), ("push", "refuse")])
def test_the_bucket_is_away_for_half_a_minute(
    start: Start, bucket: Bucket, outage: Outages, undisturbed: Run, component: str, outcome: str
) -> None:
    driver = start()
    driver.wait_for(component)
    getattr(outage, outcome)()
    assert_as_undisturbed(bucket, driver.end(), undisturbed)


def test_a_bucket_that_does_not_come_back_ends_the_command_and_another_machine_goes_on(
    start: Start, bucket: Bucket, outage: Outages, undisturbed: Run
) -> None:
    driver = start()
    driver.wait_for("train")
    outage.begin()
    assert driver.process.wait(WAIT_SECONDS) == 1
    (reason,) = driver.report["reasons"]
    assert "Could not connect to the endpoint URL" in reason
    outage.finish()
    assert_as_undisturbed(bucket, start().end(), undisturbed)
