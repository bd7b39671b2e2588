"""Datasets that TFDS knows by name, from builders of our own; no test leaves this machine."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.dataset_reader import read
from components.ingest import Ingest, IngestConfig, Splits
from tests.components.ingest.running import run

ADDRESS = "http://nowhere.invalid/colours.bin"  # the name is reserved: it leads nowhere


class _Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.2.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"image": tfds.features.Image(shape=(4, 4, 3)), "label": tfds.features.ClassLabel(names=["a", "b"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self) -> Any:
        return map(_example, range(10))


def _example(index: int) -> tuple[int, dict[str, Any]]:
    return index, {"image": np.full((4, 4, 3), index, np.uint8), "label": index % 2}


class ToyUnreachable(_Toy):
    """Its host does not exist."""

    url_infos: ClassVar[dict[str, Any]] = {ADDRESS: checksums.UrlInfo(7, "0" * 64, "colours.bin")}


class ToyServed(_Toy):
    """Needs a file from a web server."""

    address = ""

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert dl_manager.download(self.address).read_bytes() == b"colours"
        return super()._split_generators(dl_manager)


class ToyManual(_Toy):
    """Needs files that a person has to get."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Register and\n download colours.zip."


class ToyInBeam(_Toy):
    """Is written in Beam."""

    def _generate_examples(self) -> Any:
        return beam.Create(range(10)) | beam.Map(_example)


class ToyRaced(_Toy):
    """Another process prepares it meanwhile, and is done first."""

    alone = False

    def _generate_examples(self) -> Any:
        if not ToyRaced.alone:
            ToyRaced.alone = True
            ToyRaced(data_dir=self.data_dir_root).download_and_prepare()
        yield from super()._generate_examples()


class ToyBroken(_Toy):
    """Fails as other people's code does."""

    def _generate_examples(self) -> Any:
        yield {}["colours"]


@pytest.fixture(autouse=True)
def _nothing_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a file."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "colours.bin").write_bytes(b"colours")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/colours.bin"
        server.shutdown()
        thread.join()


def ingest(workspace: Workspace, dataset: str) -> Examples:
    config = IngestConfig(dataset=dataset, splits=Splits(train="train", test="test"))
    return run(Ingest(config), workspace)


def test_a_download_is_kept_under_the_root(workspace: Workspace, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyServed, "address", served)
    component = Ingest(IngestConfig(dataset="toy_served", splits=Splits(train="train", test="test")))
    assert component.fingerprint(workspace.root, {}) is None
    examples = run(component, workspace)
    assert examples.directory == workspace.root / "datasets" / "toy_served" / "1.2.0"
    assert examples.dataset == "toy_served/1.2.0"
    assert sorted(int(image[0, 0, 0]) for image, _ in read(examples, "train").as_numpy_iterator()) == list(range(10))
    assert component.fingerprint(workspace.root, {}) is not None
    monkeypatch.setattr(ToyServed, "address", "")  # and it is not fetched again
    assert run(component, workspace) == examples


def test_a_builder_written_in_beam_runs(workspace: Workspace) -> None:
    examples = ingest(workspace, "toy_in_beam")
    assert examples.example_counts == {"train": 10, "test": 10}


def test_two_runs_may_prepare_it_at_once(workspace: Workspace) -> None:
    examples = ingest(workspace, "toy_raced")
    assert len(list(read(examples, "train"))) == 10


def test_a_host_that_does_not_answer_is_found_out_at_once(workspace: Workspace) -> None:
    with pytest.raises(
        ComponentError, match=r"toy_unreachable could not be downloaded and prepared: nowhere.invalid cannot"
    ):
        ingest(workspace, "toy_unreachable")
    assert not (workspace.root / "datasets").exists()


def test_cifar10_can_be_had_elsewhere(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", offline)
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, "cifar10")
    assert "cannot be reached (Name or service not known)" in str(refusal.value)
    assert "`python -m benchmarks.prepare_cifar10` prepares it" in str(refusal.value)


def test_says_what_a_person_has_to_download(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, "toy_manual")
    assert f"must be put into {tmp_path / 'tfds' / 'downloads' / 'manual'} by hand" in str(refusal.value)
    assert "(Register and download colours.zip.)" in str(refusal.value)


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("toy_serve", "TFDS knows no such dataset. Did you mean toy_served"),
        ("qqqqqqqq", "TFDS knows no such dataset. Did you mean cifar10_sample, cifar10, mnist?"),
        ("nothing:mnist", "TFDS knows no such dataset. Did you mean mnist"),
        (
            "toy_served:9.9.9",
            "AssertionError: Dataset toy_served cannot be loaded at version 9.9.9, only: 1.2.0",
        ),
        ("toy_broken", "toy_broken could not be downloaded and prepared: KeyError: 'colours'"),
        ("./photos", "ingest.dataset is './photos': no such folder, seen from /"),
    ],
)
def test_refuses(workspace: Workspace, dataset: str, reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        ingest(workspace, dataset)


def test_the_plan_refuses_what_nobody_knows(workspace: Workspace) -> None:
    for known in ("toy_served", "mnist", "hub:qqqqqqqq"):
        assert Ingest(IngestConfig(dataset=known)).fingerprint(workspace.root, {}) is None
    with pytest.raises(ComponentError, match=r"'toy_serve': TFDS knows no such dataset. Did you mean toy_served"):
        Ingest(IngestConfig(dataset="toy_serve")).fingerprint(workspace.root, {})


def test_a_plan_says_which_path_is_not_there(tmp_path: Path) -> None:
    assert Ingest(IngestConfig(dataset=str(tmp_path))).describe({}) == ""
    nothing = Ingest(IngestConfig(dataset=str(tmp_path / "nothing")))
    assert nothing.fingerprint(tmp_path, {}) is None
    assert nothing.describe({}).startswith(f"ingest.dataset is '{tmp_path}/nothing': no such folder")


def test_a_folder_that_looks_like_a_name_is_pointed_out(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ComponentError, match=r"or the folder ./photos\?"):
        ingest(workspace, "photos")
