"""What tests share: two prepared datasets, a run on one of them, a browser, folders on disk and in object storage."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import components
from components.artifacts import Examples
from components.component import Workspace
from components.ingest.fingerprint import content_digest
from tests.gs_server import gs_server
from tests.s3_server import BUCKET, S3, s3_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SAMPLE = Path(components.__file__).parent / "datasets" / "cifar10_sample" / "1.0.0"
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TINY_CLASSES = ("red", "green", "blue")
# Right about 6 of 10 test images after a few seconds of training.
QUICK_RUN = (
    "train.recipe=small_data",
    "train.widths=[16, 32, 64]",
    "train.epochs=4",
    "push.variants=[]",
    'evaluate.thresholds={"accuracy": {"min": 0.4}}',
    "evaluate.caption_precision=0.8",
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: a second one cannot be started beside it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium` brings one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--disable-sync"])
        yield browser
        browser.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Under `tmp_path`: an empty folder, a scratch folder, and the root of all runs."""
    root = tmp_path / "root"
    places = [root / "work" / "attempt", root / "work" / "scratch"]
    for place in places:
        place.mkdir(parents=True)
    return Workspace(folder=places[0], scratch=places[1], root=root)


@pytest.fixture(scope="module")
def s3(request: pytest.FixtureRequest) -> Iterator[S3]:
    """A server with an empty bucket, in the environment. A module's FAIL_EVERY says how often it fails."""
    with s3_server(getattr(request.module, "FAIL_EVERY", 0)) as server, pytest.MonkeyPatch.context() as patched:
        for name, value in server.variables.items():
            patched.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def gs(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same for Google's storage: its address."""
    with gs_server(getattr(request.module, "FAIL_EVERY", 0)) as endpoint, pytest.MonkeyPatch.context() as patched:
        patched.setenv("STORAGE_EMULATOR_HOST", endpoint)
        yield endpoint


@pytest.fixture
def url(s3: S3, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder in the bucket for one test alone; this machine's copies of it lie in `tmp_path`/cache."""
    return _own_folder("s3", request, tmp_path, monkeypatch)


@pytest.fixture(params=["s3", "gs"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same in object storage of each kind."""
    request.getfixturevalue(request.param)
    return _own_folder(request.param, request, tmp_path, monkeypatch)


def _own_folder(scheme: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    return f"{scheme}://{BUCKET}/{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}/root"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """The embedded sample: 4,800 images to train on, 200 to validate on, 1,000 to bless with."""
    return Examples(
        folder=tmp_path_factory.mktemp("sample"),
        dataset="cifar10_sample/1.0.0",
        content=content_digest(SAMPLE),
        directory=SAMPLE,
        splits={"train": "train[:96%]", "validation": "train[96%:]", "test": "test"},
        example_counts={"train": 4800, "validation": 200, "test": 1000},
        class_names=CIFAR10_CLASSES,
        image_shape=(32, 32, 3),
    ).write()


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The root of one whole run on the embedded sample, with version 1 pushed. Not to be written to: copy it.

    The processes that share the tests share it: whichever asks first makes it, and the others wait.
    """
    own = tmp_path_factory.getbasetemp()
    root = (own if worker_id == "master" else own.parent) / "sample_root"
    command = [
        sys.executable,
        "-m",
        "pipeline.run",
        f"--pipeline_root={root}",
        *(f"--set={each}" for each in QUICK_RUN),
    ]
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(root.glob("pushed/1")):
            finished = subprocess.run(command, capture_output=True, text=True, cwd=SAMPLE.parents[3])
            assert finished.returncode == 0, finished.stdout + finished.stderr
    return root


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Noisy 32x32 images of three classes that colour tells apart: 96 to train, 24 to validate, 48 to bless with."""
    folder = tmp_path_factory.mktemp("tiny")
    directory = _prepare_tiny(folder)
    return Examples(
        folder=folder,
        dataset="tiny/1.0.0",
        content=content_digest(directory),
        directory=directory,
        splits={"train": "train[:80%]", "validation": "train[80%:]", "test": "test"},
        example_counts={"train": 96, "validation": 24, "test": 48},
        class_names=TINY_CLASSES,
        image_shape=(32, 32, 3),
    ).write()


def _prepare_tiny(folder: Path) -> Path:
    import tensorflow_datasets as tfds

    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(32, 32, 3)),
                "label": tfds.features.ClassLabel(names=list(TINY_CLASSES)),
            }
        ),
        split_datasets={"train": _tiny_images(120, seed=1), "test": _tiny_images(48, seed=2)},
        data_dir=folder,
        disable_shuffling=True,
    )
    return Path(builder.data_dir)


def _tiny_images(count: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The classes take turns: any slice is balanced."""
    import numpy as np

    random = np.random.default_rng(seed)
    for index in range(count):
        label = index % len(TINY_CLASSES)
        image = random.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        image[:, :, label] += 100
        yield index, {"image": image, "label": label}
