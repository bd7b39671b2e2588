"""Workers that share nothing but a bucket: each is a process with a home and a cache of its own."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from components.artifacts import Artifact
from components.component import ShardedComponent, Workspace
from components.file_exchange import FileExchange
from components.local_copies import local_copy
from components.object_storage import RemoteFolder
from pipeline.errors import Stopped
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.plan import Plan, PlannedEdge, Selection, make_plan
from pipeline.orchestrator.run_record import STOP, RunFolder
from pipeline.orchestrator.worker_error import innermost
from pipeline.runners.component_transform import BeamEdge
from pipeline.runners.runner import DIRECT_RUNNER, run_graph
from pipeline.store.local_store import Store
from pipeline.store.opening import open_store
from tests.pipeline.toys import Count, CountConfig, FactorConfig, Numbers, Total
from tests.s3_server import S3

REPOSITORY = Path(__file__).parents[3]
NUMBERS = 8
ODD = 7  # a factor with which the scan fails


class Shard(NamedTuple):
    numbers: Path  # the artifact of numbers
    place: int
    file: Path  # becomes part of the artifact
    draft: Path  # does not
    exchange: FileExchange


@dataclass(frozen=True)
class Files(ShardedComponent):
    """Multiplies numbers that its workers read in files, and writes files: one that stays, one for the last step."""

    name: ClassVar[str] = "normalize"
    inputs: ClassVar[tuple[str, ...]] = ("numbers",)
    artifact: ClassVar[type[Artifact]] = Numbers
    config: FactorConfig

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Shard]:
        for place in range(len(inputs[0].values)):
            files = workspace.folder / "files" / f"{place}.txt", workspace.scratch / "drafts" / f"{place}.txt"
            for file in files:
                file.parent.mkdir(exist_ok=True)
            yield Shard(inputs[0].folder, place, *files, workspace.exchange)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | "write" >> beam.Map(write, self.config.factor)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Numbers:
        assert {path.name for path in (workspace.folder / "files").iterdir()} == set(results)
        found = sorted(int((workspace.scratch / "drafts" / name).read_text()) for name in results)
        return Numbers(folder=workspace.folder, values=tuple(found)).write()


def write(shard: Shard, factor: int) -> str:
    if factor == ODD:
        raise ValueError("the scan fails")
    value = Numbers.read(shard.numbers).values[shard.place] * factor
    for file in (shard.file, shard.draft):
        file.write_text(str(value))
    shard.exchange.put(shard.file, shard.draft)
    return shard.file.name


@dataclass(frozen=True)
class Read(Files):
    """Reads all files that the scan before it has made."""

    name: ClassVar[str] = "train"
    inputs: ClassVar[tuple[str, ...]] = ("numbers", "multiples")
    artifact: ClassVar[type[Artifact]] = Total

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Path]:
        return [inputs[1].folder / "files"] * NUMBERS

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | "read" >> beam.Map(lambda folder: sum(int(each.read_text()) for each in folder.iterdir()))

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Total:
        assert len(set(results)) == 1
        return Total(folder=workspace.folder, value=results[0], attempts=len(results)).write()


class Watched(Count):
    """Ends once the bucket has its state."""

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        deadline = time.monotonic() + 30
        while RemoteFolder(workspace.url).read(f"runs/one/nodes/{self.name}.json") is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return super().run(workspace, *inputs)


def graph(start: PlannedEdge | BeamEdge, factor: int = 2) -> None:
    numbers = start | Count(CountConfig(count=NUMBERS))
    multiples = numbers | Files(FactorConfig(factor=factor))
    (numbers, multiples) | Read(FactorConfig())


def plan(store: Store, draw: Callable[[Any], None] = graph, first: str | None = None) -> Plan:
    return make_plan(draw, store, Selection(("ingest", "normalize", "train"), first))


def own_home(machines: Path) -> str:
    """A program that starts a worker with a home and a cache of its own."""
    return f"""#!/bin/sh
HOME=$(mktemp -d {machines}/XXXXXX) && cd "$HOME"
export HOME PIPELINE_CACHE_DIR="$HOME/cache" PYTHONPATH={REPOSITORY}
exec {sys.executable} -m apache_beam.runners.worker.sdk_worker_main >"$HOME/log.txt" 2>&1
"""


def own_mounts(machines: Path) -> str:
    """A program that starts a worker in a mount namespace: it sees no file of others, and the code at another path."""
    python = sys.executable.replace(str(REPOSITORY), "/mnt/line")
    inside = f"""set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/line /mnt/home
mount --bind {REPOSITORY} /mnt/line
mount -t tmpfs none {REPOSITORY}
mount -t tmpfs none /tmp
cd /mnt/home
export HOME=/mnt/home PYTHONPATH=/mnt/line
unset PIPELINE_CACHE_DIR XDG_CACHE_HOME
exec {python} -m apache_beam.runners.worker.sdk_worker_main"""
    (machines / "inside").write_text(inside)
    return f"#!/bin/sh\nexec unshare --mount sh {machines}/inside >{machines}/log-$$.txt 2>&1\n"


def run_apart(
    url: str,
    machines: Path,
    beam_args: tuple[str, ...],
    draw: Callable[[Any], None] = graph,
    program: Callable[[Path], str] = own_home,
    first: str | None = None,
) -> RunFolder:
    """Runs the graph, from its first component or a later one, on two machines of its own."""
    machines.mkdir()
    start = machines / "start"
    start.write_text(program(machines))
    start.chmod(0o755)
    store, run = open_store(url), RunFolder(open_store(url).root, "one")
    run.create()
    runner = FnApiRunner(default_environment=SubprocessSDKEnvironment(str(start)))
    with (
        store.following(run.path, STOP),
        beam.Pipeline(runner, PipelineOptions(["--direct_num_workers=2"])) as pipeline,
    ):
        draw(BeamEdge(pipeline, plan(store, draw, first), "one", beam_args, apart=True, elsewhere=True))
    return run


def run_here(root: Path) -> RunFolder:
    run = RunFolder(root, "one")
    run.create()
    run_graph(graph, plan(Store(root)), "one", DIRECT_RUNNER, ())
    return run


def assert_same(apart: RunFolder, here: RunFolder) -> None:
    for component in ("ingest", "normalize", "train"):
        assert apart.read_node(component).state == "ran"
        assert apart.read_node(component).digest == here.read_node(component).digest
    assert len(set(apart.scanned_by("normalize"))) == 2


def test_machines_that_share_a_bucket_make_what_one_machine_makes(s3: S3, url: str, tmp_path: Path) -> None:
    assert_same(run_apart(url, tmp_path / "machines", s3.options), run_here(tmp_path / "here"))
    caches = list((tmp_path / "machines").glob("*/cache/*/root"))
    assert len(caches) == 2
    assert not list((tmp_path / "cache").glob("*/root/normalize/*/attempt-*"))
    assert not any("/scratch/" in file.name for file in RemoteFolder(url).files())


@pytest.mark.long
@pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="mount namespaces are for root on Linux",
)
def test_machines_that_see_no_file_of_each_other_make_the_same(s3: S3, url: str, tmp_path: Path) -> None:
    apart = run_apart(url, tmp_path / "machines", s3.options, program=own_mounts)
    assert_same(apart, run_here(tmp_path / "here"))
    assert not list((tmp_path / "cache").glob("*/root/*/*/attempt-*"))


def test_why_a_scan_on_another_machine_failed_is_told(s3: S3, url: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the scan fails") as caught:
        run_apart(url, tmp_path / "machines", s3.options, lambda start: graph(start, ODD))
    assert innermost(caught.value) == "ValueError: the scan fails"
    run = RunFolder(local_copy(url), "one")
    assert [run.read_node(each).state for each in ("ingest", "normalize", "train")] == ["ran", "running", "waiting"]


def test_others_see_how_far_a_run_on_one_machine_has_come(s3: S3, url: str) -> None:
    """Should that machine be lost."""

    def watched(start: PlannedEdge | BeamEdge) -> None:
        start | Watched(CountConfig())

    store, run = open_store(url), RunFolder(open_store(url).root, "one")
    run.create()
    run_graph(watched, make_plan(watched, store, Selection(("ingest",))), "one", DIRECT_RUNNER, s3.options)
    assert run.read_node("ingest").state == "ran"


def sent(run: ComponentRun, cache: Path, monkeypatch: pytest.MonkeyPatch) -> ComponentRun:
    """What arrives on a machine that has its copies elsewhere."""
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(cache))
    return pickle.loads(pickle.dumps(run))


def test_no_path_of_a_machine_travels(s3: S3, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = local_copy(url)
    numbers = ComponentRun(Count(CountConfig()), (), root, "one", url, apart=True, beam_args=s3.options).run()
    scan = ComponentRun(Files(FactorConfig()), (Count(CountConfig()),), root, "one", url, True)
    lookup = scan.open(numbers)
    shards = scan.list_shards(lookup, numbers)
    assert str(tmp_path).encode() not in pickle.dumps([scan, lookup, numbers, shards])
    other = sent(scan, tmp_path / "other", monkeypatch)
    first = other.begin(lookup, next(iter(shards)), numbers)
    assert first.numbers.is_relative_to(tmp_path / "other")
    assert Numbers.read(first.numbers).values == (0, 1, 2, 3, 4)


def test_a_process_loads_the_inputs_of_a_scan_once(
    s3: S3, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requests: dict[str, None]
) -> None:
    root = local_copy(url)
    numbers = ComponentRun(Count(CountConfig()), (), root, "one", url, apart=True, beam_args=s3.options).run()
    scan = ComponentRun(Files(FactorConfig()), (Count(CountConfig()),), root, "one", url, True)
    lookup = scan.open(numbers)
    shards = list(scan.list_shards(lookup, numbers))
    other = sent(scan, tmp_path / "other", monkeypatch)
    counts = []
    for shard in shards[:3]:
        requests.clear()
        other.begin(lookup, shard, numbers)
        counts.append(len(requests))
    assert counts[0] > 1
    assert counts[1:] == [1, 1], requests  # that a shard has begun is told
    shutil.rmtree(tmp_path / "other")
    again = other.begin(lookup, shards[3], numbers)
    assert Numbers.read(again.numbers).values == (0, 1, 2, 3, 4)


def test_a_run_that_was_told_to_stop_begins_nothing_on_any_machine(
    s3: S3, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, store = RunFolder(local_copy(url), "one"), open_store(url)
    driver.create()
    with store.following(driver.path, STOP):
        driver.stop()
    run = ComponentRun(Count(CountConfig()), (), local_copy(url), "one", url, apart=True, beam_args=s3.options)
    with pytest.raises(Stopped, match="told to stop before ingest"):
        sent(run, tmp_path / "other", monkeypatch).run()
    store.forget(driver.path, STOP)
    assert sent(run, tmp_path / "third", monkeypatch).run().summary == {"count": 5}
