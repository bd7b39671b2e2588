"""Training on a machine whose disk may not hold the images, which are in the same bucket as the root."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import Artifact, Examples, Model, Statistics
from components.component import ComponentError
from components.ingest import Ingest
from components.object_storage import RemoteFolder
from components.train import Train, TrainConfig
from components.train.data import read_in_order
from pipeline.orchestrator.streamed_inputs import inputs_of
from pipeline.store.folder_digest import digest_folder
from pipeline.store.manifest import Manifest
from pipeline.store.remote_store import RemoteStore
from tests.components.many_files import file_sizes, many_files, watched
from tests.components.train.helpers import make_workspace, quick_config, statistics_of
from tests.pipeline.stored_examples import PLACES, Put, of_photos

FAIL_EVERY = 29
BOUND = 1_000_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return many_files(tmp_path_factory.mktemp("many"), 2400, 60, validation=100)


@pytest.fixture(scope="module")
def statistics(many: Examples) -> Statistics:
    return statistics_of(many)


@pytest.fixture(params=PLACES)
def put(request: pytest.FixtureRequest) -> Put:
    return request.param


@contextmanager
def elsewhere(
    put: Put, url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int | None = 1
) -> Iterator[tuple[RemoteStore, list[Artifact]]]:
    """Loads what was put into the bucket on a machine that has nothing yet."""
    manifest, ingest = put(RemoteStore(tmp_path / "one", url), many)
    shutil.rmtree(tmp_path / "one")
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "other" / "cache"))
    store = RemoteStore(tmp_path / "other" / "root", url)
    train = Train(config(max_disk_megabytes=bound))
    workspace = make_workspace(tmp_path / "work")
    with inputs_of(train, store, [manifest], [ingest], workspace) as artifacts:
        yield store, artifacts


def config(**values: Any) -> TrainConfig:
    """The training split takes 1.8 MB in memory, and is streamed."""
    known = {"image_size_pixels": 16, "max_cache_megabytes": 1, "epochs": 1.0, "batch_size": 80}
    return quick_config(**known | values)


def test_images_are_read_from_any_place_within_the_bound(
    put: Put,
    url: str,
    many: Examples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert sum(file_sizes(many).values()) > 1.5 * BOUND
    with caplog.at_level(logging.INFO), watched(tmp_path / "other") as watch:
        loaded = elsewhere(put, url, many, tmp_path, monkeypatch)
        with loaded as (_, (examples,)):
            assert isinstance(examples, Examples)
            found = list(read_in_order(examples, "train", 16, 16).as_numpy_iterator())
    expected = list(read_in_order(many, "train", 16, 16).as_numpy_iterator())
    np.testing.assert_array_equal(*(np.stack([image for image, _ in images]) for images in (found, expected)))
    assert 0 < watch.peak_bytes <= BOUND
    assert re.search(r"MB in \d+ files are read from s3://.* at most 1\.0 MB are on this disk at once", caplog.text)
    assert not list((tmp_path / "other").rglob("*.tfrecord*"))


def test_the_model_is_that_of_a_machine_with_all_files(
    url: str, many: Examples, statistics: Statistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        watched(tmp_path / "other") as watch,
        elsewhere(of_photos, url, many, tmp_path, monkeypatch) as (_, (examples,)),
    ):
        assert isinstance(examples, Examples)
        found = train(examples, statistics, tmp_path / "found", max_disk_megabytes=1)
    expected = train(many, statistics, tmp_path / "expected")
    assert digest_folder(found.folder).digest == digest_folder(expected.folder).digest
    assert 0 < watch.peak_bytes <= BOUND


def train(examples: Examples, statistics: Statistics, folder: Path, **values: Any) -> Model:
    return Train(config(**values)).run(make_workspace(folder), examples, statistics)


@pytest.mark.parametrize("bound", [None, 10])
def test_without_a_bound_or_below_it_all_files_are_fetched(
    put: Put, url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int | None
) -> None:
    with elsewhere(put, url, many, tmp_path, monkeypatch, bound) as (_, (examples,)):
        assert isinstance(examples, Examples)
        assert examples.streamed is None
        assert file_sizes(examples) == file_sizes(many)


def test_what_is_here_is_not_fetched_again(url: str, many: Examples, tmp_path: Path) -> None:
    store = RemoteStore(tmp_path / "one", url)
    manifest, ingest = of_photos(store, many)
    with inputs_of(
        Train(config(max_disk_megabytes=1)), store, [manifest], [ingest], make_workspace(tmp_path / "work")
    ) as (examples,):
        assert isinstance(examples, Examples)
        assert examples.streamed is None
        assert examples.folder == store.root / manifest.folder


def test_a_file_that_changes_ends_the_training_with_what_to_do(
    url: str, many: Examples, statistics: Statistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_and_train() -> None:
        with elsewhere(of_photos, url, many, tmp_path, monkeypatch) as (_, (examples,)):
            assert isinstance(examples, Examples)
            assert examples.streamed is not None
            remote = RemoteFolder(examples.streamed.url)
            (name,) = [file.name for file in remote.files() if file.name.endswith("train.tfrecord-00007")]
            remote.write(name, b"other")
            train(examples, statistics, tmp_path / "found", max_disk_megabytes=1)

    with pytest.raises(ComponentError, match=r"00007 has changed since it was listed.* Run again once nobody writes"):
        change_and_train()
    assert not list((tmp_path / "other").rglob("*.tfrecord*"))


def test_a_file_that_is_gone_is_told_before_any_work(
    url: str, many: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(store: RemoteStore, many: Examples) -> tuple[Manifest, Ingest]:
        manifest, ingest = of_photos(store, many)
        folder = RemoteFolder(store.url).folder(manifest.folder)
        folder.remove_file("dataset/many-train.tfrecord-00003")
        return manifest, ingest

    with (
        pytest.raises(OSError, match=r"cannot be read: damaged: .* files of"),
        elsewhere(damaged, url, many, tmp_path, monkeypatch),
    ):
        pass


def test_the_bound_decides_nothing_of_what_is_made() -> None:
    assert config(max_disk_megabytes=1).identity() == config().identity()
    assert Train(config(max_disk_megabytes=1)).identity() == Train(config()).identity()
