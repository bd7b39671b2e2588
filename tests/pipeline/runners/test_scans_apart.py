"""What a machine fetches of the inputs of a scan: what its shards need, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import Examples
from components.component import Workspace
from components.dataset_reader import file_spans
from components.local_copies import local_copy
from components.normalize import Normalize, NormalizeConfig
from components.normalize.scan import scan_shard
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.store.folder_digest import digest_folder
from pipeline.store.remote_store import RemoteStore
from tests.components.many_files import file_sizes, many_files
from tests.components.scanning import run
from tests.pipeline.runners.test_apart import Files, Read, run_apart, sent
from tests.pipeline.stored_examples import PLACES, Put, of_photos
from tests.pipeline.toys import Count, CountConfig, FactorConfig
from tests.s3_server import S3

NORMALIZE = Normalize(NormalizeConfig(shard_examples=30))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    made = many_files(tmp_path_factory.mktemp("many"), 240, 12, validation=40)
    counts = {"train": 240, "test": 40}
    return made.model_copy(update={"splits": {"train": "train", "test": "validation"}, "example_counts": counts})


def records(machine: Path) -> set[str]:
    """The files of records that a machine has, wherever."""
    return {path.name for path in machine.rglob("*.tfrecord*") if not path.name.startswith(".")}


def needed(many: Examples, slice_: str) -> set[str]:
    """The files that hold the examples of a slice such as "train[30:60]"."""
    split, start, stop = re.fullmatch(r"(\w+)\[(\d+):(\d+)\]", slice_).groups()  # type: ignore[union-attr]
    spans = file_spans(many.model_copy(update={"splits": {split: split}}), split)
    inside = [number for number, span in enumerate(spans) if span.start < int(stop) and span.stop > int(start)]
    return {f"many-{split}.tfrecord-{number:05d}" for number in inside}


@pytest.mark.parametrize("put", PLACES)
def test_a_shard_brings_the_files_that_hold_its_images(
    put: Put, s3: S3, url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, ingest = put(RemoteStore(local_copy(url), url), many)
    scan = ComponentRun(NORMALIZE, (ingest,), local_copy(url), "one", url, apart=True, beam_args=s3.options)
    lookup = scan.open(manifest)
    planning, working = tmp_path / "planning", tmp_path / "working"
    shards = list(sent(scan, planning, monkeypatch).list_shards(lookup, manifest))
    assert records(planning) == set()

    worker, expected = sent(scan, working, monkeypatch), set[str]()
    for packed in (shards[2], shards[-1], shards[3]):
        shard = worker.begin(lookup, packed, manifest)
        assert records(working) == expected
        found = [each for each in scan_shard(shard) if isinstance(each, tuple)]
        expected |= needed(many, shard.slice)
        assert records(working) == expected
        assert [moments.example_count for _, moments in found] == [shard_length(shard.slice)]
    assert 3 <= len(expected) < len(file_sizes(many))


def shard_length(slice_: str) -> int:
    start, stop = re.findall(r"\d+", slice_)
    return int(stop) - int(start)


class FirstShard:
    """The first shard of a scan that a machine with all files has listed."""

    def __init__(self, s3: S3, url: str, many: Examples) -> None:
        self.manifest, ingest = of_photos(RemoteStore(local_copy(url), url), many)
        self._scan = ComponentRun(NORMALIZE, (ingest,), local_copy(url), "one", url, apart=True, beam_args=s3.options)
        self._lookup = self._scan.open(self.manifest)
        self._packed = next(iter(self._scan.list_shards(self._lookup, self.manifest)))

    def begin_on(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The shard, as it begins on a machine whose copies lie in this folder."""
        return sent(self._scan, machine, monkeypatch).begin(self._lookup, self._packed, self.manifest)

    def scan_on(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Scans the shard there, and returns it."""
        shard = self.begin_on(machine, monkeypatch)
        list(scan_shard(shard))
        return shard


def test_shards_of_a_machine_with_all_files_are_read_by_one_without(
    s3: S3, url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FirstShard(s3, url, many)
    shard = first.scan_on(tmp_path / "other", monkeypatch)
    assert records(tmp_path / "other") == needed(many, shard.slice)
    # Where all files are, none is fetched.
    here = first.begin_on(tmp_path / "cache", monkeypatch)
    assert here.examples.folder == local_copy(url) / first.manifest.folder


def test_whoever_needs_all_files_later_shares_those_that_are_there(
    s3: S3, url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FirstShard(s3, url, many)
    shard = first.scan_on(tmp_path / "other", monkeypatch)
    examples = RemoteStore(local_copy(url), url).load(first.manifest, Examples)
    assert file_sizes(examples) == file_sizes(many)
    shared = {path.name for path in examples.prepared_directory.iterdir() if path.stat().st_nlink > 1}
    assert shared >= needed(many, shard.slice)
    assert digest_folder(examples.folder).digest == first.manifest.digest


def test_inputs_of_which_no_shard_speaks_are_not_fetched(
    s3: S3, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, count = local_copy(url), Count(CountConfig())
    numbers = ComponentRun(count, (), root, "one", url, apart=True, beam_args=s3.options).run()
    files = Files(FactorConfig())
    write = ComponentRun(files, (count,), root, "one", url, True)
    lookup = write.open(numbers)
    results = [f"{place}.txt" for place in range(5)]
    for shard in write.list_shards(lookup, numbers):
        written = write.begin(lookup, shard, numbers)
        for file in (written.file, written.draft):
            file.write_text("1")
    multiples = write.combine(lookup, numbers, results=results)

    read = ComponentRun(Read(FactorConfig()), (count, files), root, "one", url, True)
    lookup = read.open(numbers, multiples)
    packed = next(iter(read.list_shards(lookup, numbers, multiples)))
    folder = sent(read, tmp_path / "other", monkeypatch).begin(lookup, packed, numbers, multiples)
    assert len(list(folder.iterdir())) == 5
    other = local_copy(url)
    assert (other / multiples.folder).is_dir()
    assert not (other / numbers.folder).exists()


def test_machines_that_share_a_scan_have_a_part_of_the_files_each(
    s3: S3, url: str, many: Examples, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "maker"))
    _, ingest = of_photos(RemoteStore(local_copy(url), url), many)
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))

    def draw(start: Any) -> None:
        start | ingest | NORMALIZE

    apart = run_apart(url, tmp_path / "machines", s3.options, draw, first="normalize")
    assert len(set(apart.scanned_by("normalize"))) == 2
    parts = [records(machine) for machine in (tmp_path / "machines").glob("*/cache")]
    assert len(parts) == 2
    assert set.union(*parts) == file_sizes(many).keys()
    assert all(part < file_sizes(many).keys() for part in parts)
    assert records(tmp_path / "cache") == set()
    here = run(NORMALIZE, workspace, many)
    assert apart.read_node("normalize").digest == digest_folder(here.folder).digest
