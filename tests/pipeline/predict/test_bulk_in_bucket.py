"""Bulk prediction with version, photos and rows in object storage, on a server that fails now and then."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.component import ComponentError
from components.object_storage import RemoteFolder, configure
from pipeline.predict.__main__ import main
from pipeline.predict.bulk import Job, predict_shard
from pipeline.predict.photo_source import BucketSource
from pipeline.predict.published import open_published
from pipeline.predict.rows_folder import RowsFolder
from tests.canned_server import Answer, answering, refusal
from tests.s3_server import BUCKET, S3, s3_server

REPOSITORY = Path(__file__).parents[3]
ROOT, PHOTOS = f"s3://{BUCKET}/root", f"s3://{BUCKET}/photos"
WORK = """
import pickle, sys
from pipeline.predict.bulk import predict_shard
predict_shard("1", pickle.load(sys.stdin.buffer))
"""


def upload(folder: Path, url: str) -> None:
    RemoteFolder(url).upload(folder, [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 photos, of which one is none."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(299):
        Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / f"{number:03d}.png")
    (folder / "broken.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def s3(sample_root: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    variables = dict(os.environ)
    os.environ["PIPELINE_CACHE_DIR"] = str(tmp_path_factory.mktemp("driver"))
    with s3_server(40) as server:
        configure(server.options)
        upload(sample_root / "pushed" / "1", f"{ROOT}/pushed/1")
        upload(folder, PHOTOS)
        yield server
    os.environ.clear()
    os.environ.update(variables)


def rows_at(url: str, to: Path) -> list[dict[str, Any]]:
    """Sorted by file."""
    storage = RemoteFolder(url)
    storage.fetch([file for file in storage.files() if file.name.endswith(".parquet")], to)
    return sorted(pq.read_table(to).to_pylist(), key=lambda row: row["file"])


def test_rows_are_those_of_the_same_folder_on_a_disk(
    s3: S3, sample_root: Path, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = f"s3://{BUCKET}/rows"
    given = [f"--pipeline_root={ROOT}", f"--input={PHOTOS}", f"--output={rows}", *s3.options]
    assert main(given) == 0, capfd.readouterr().err
    assert main([f"--pipeline_root={sample_root}", f"--input={folder}", f"--output={tmp_path / 'rows'}"]) == 0
    here = sorted(pq.read_table(tmp_path / "rows").to_pylist(), key=lambda row: row["file"])
    assert rows_at(rows, tmp_path / "fetched") == here
    assert [row["file"] for row in here if row["error"]] == ["broken.jpg"]
    assert not RemoteFolder(f"{rows}/_names").files()
    capfd.readouterr()
    assert main(given) == 0
    assert capfd.readouterr().out.startswith("300 photos, 300 of them predicted before\n")


def test_a_worker_needs_no_path_of_the_machine_that_planned(s3: S3, tmp_path: Path) -> None:
    rows = RowsFolder(f"s3://{BUCKET}/apart")
    job = Job(BucketSource(PHOTOS), rows, open_published(ROOT, None), s3.options)
    rows.write_names("1", ["000.png", "broken.jpg"])
    planned = pickle.dumps(job)
    assert os.environ["PIPELINE_CACHE_DIR"].encode() not in planned
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", WORK], input=planned, env=variables, cwd=tmp_path, check=True)
    assert [row["error"] for row in rows_at(rows.place, tmp_path / "rows")] == [None, "not an image"]
    assert list(tmp_path.rglob("saved_model.pb"))


def test_a_version_that_is_withdrawn_or_another_one_is_no_end_in_rows_of_it(s3: S3, sample_root: Path) -> None:
    root, rows = f"s3://{BUCKET}/other", RowsFolder(f"s3://{BUCKET}/withdrawn")
    upload(sample_root / "pushed" / "1", f"{root}/pushed/4")
    job = Job(BucketSource(PHOTOS), rows, open_published(root, 4), s3.options)
    assert job.version.is_there
    rows.write_names("1", ["000.png"])
    RemoteFolder(root).write("pushed/withdrawn/4", b"\n")
    assert not job.version.is_there
    with pytest.raises(ComponentError, match=r"version 4 in s3://.*/other is gone: it was withdrawn or removed"):
        predict_shard("1", job)
    assert rows.done() == set()


def test_photos_that_are_gone_with_their_bucket_are_no_rows(s3: S3) -> None:
    rows = RowsFolder(f"s3://{BUCKET}/none")
    rows.write_names("1", ["000.png"])
    job = Job(BucketSource("s3://no-such-bucket/photos"), rows, open_published(ROOT, 1), s3.options)
    with pytest.raises(ComponentError, match=r"None of 1 photos that were listed in s3://no-such-bucket/photos"):
        predict_shard("1", job)
    assert rows.done() == set()


def test_a_root_without_a_version_or_a_bucket_is_said(
    s3: S3, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [f"--input={PHOTOS}", f"--output={tmp_path}/rows", *s3.options]
    assert main([f"--pipeline_root=s3://{BUCKET}/empty", *given]) == 2
    assert f"No version is in s3://{BUCKET}/empty/pushed yet" in capfd.readouterr().err
    assert main(["--pipeline_root=s3://no-such-bucket/root", *given]) == 1
    assert "no-such-bucket" in capfd.readouterr().err
    assert not (tmp_path / "rows").exists()


def test_photos_in_a_bucket_that_is_not_there_or_refuses_are_said_in_one_line(
    s3: S3, sample_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [f"--pipeline_root={sample_root}", f"--output={tmp_path}/rows"]
    assert main([*given, "--input=s3://no-such-bucket/photos", *s3.options]) == 1
    no_bucket = "there is no bucket no-such-bucket: make it, or check the name in the URL"
    assert capfd.readouterr() == ("", f"error: --input=s3://no-such-bucket/photos: {no_bucket}\n")
    with answering(refuse_listings):
        assert main([*given, f"--input={PHOTOS}"]) == 1
    out, error = capfd.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert error.startswith(f"error: --input={PHOTOS}: {PHOTOS}/ cannot be listed: ")
    assert error.endswith("The credentials do not allow it: give them the right, or give others\n")
    with answering(refusal(403, "AccessDenied")):
        assert main([*given, f"--input={PHOTOS}"]) == 1
    assert capfd.readouterr().err.startswith(f"error: --input={PHOTOS}: {PHOTOS}/dataset_info.json cannot be read: ")
    assert main([*given, f"--input=s3://{BUCKET}/empty", *s3.options]) == 2
    assert f"--input=s3://{BUCKET}/empty: there are no photos in it." in capfd.readouterr().err
    assert not (tmp_path / "rows").exists()


def refuse_listings(method: str, path: str) -> Answer:
    """Of a server that says that the bucket is there, and that an object is not."""
    if method == "HEAD":
        return Answer(404 if path.endswith("dataset_info.json") else 200)
    return refusal(403, "AccessDenied")
