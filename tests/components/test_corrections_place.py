"""Corrections in object storage: several write at once, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.component import ComponentError, Workspace
from components.corrections_file import Correction, append_corrections, read_corrections
from components.corrections_place import read_bytes, state
from components.files import digest_file
from components.ingest import Ingest, IngestConfig
from components.object_storage import RemoteFolder, configure
from tests.components.ingest import running
from tests.pipeline.review.findings import write_photos
from tests.s3_server import BUCKET, s3_server

FOLDER = f"s3://{BUCKET}/photos"
SHA = "a" * 64
FAIL_EVERY = 23


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[None]:
    variables = dict(os.environ)
    with s3_server(FAIL_EVERY) as server:
        configure(server.options)
        yield
    os.environ.clear()
    os.environ.update(variables)


def test_what_is_written_is_read_again() -> None:
    place = f"{FOLDER}/one.csv"
    assert (read_corrections(place).decisions, state(place)) == ((), (0, 0))
    append_corrections(place, [Correction("cat/1.jpg", SHA, "keep")])
    before = state(place)
    append_corrections(place, [Correction("a,b.jpg", SHA, "label", "dog")])
    assert [each.file for each in read_corrections(place).decisions] == ["cat/1.jpg", "a,b.jpg"]
    assert state(place) != before


def test_a_line_that_was_cut_short_spoils_no_other() -> None:
    place = f"{FOLDER}/cut.csv"
    append_corrections(place, [Correction("cat/1.jpg", SHA, "keep")])
    RemoteFolder(FOLDER).write("cut.csv", read_bytes(place) + b"cat/2.jpg,0123")
    append_corrections(place, [Correction("cat/3.jpg", SHA, "keep")])
    found = read_corrections(place)
    assert ([each.file for each in found.decisions], found.damaged_lines) == (["cat/1.jpg", "cat/3.jpg"], (3,))


def test_many_write_at_once_and_each_line_is_there_once() -> None:
    place = f"{FOLDER}/many.csv"

    def write(writer: int) -> None:
        for number in range(4):
            append_corrections(place, [Correction(f"{writer},{number}", SHA, "keep")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = [each.file for each in read_corrections(place).decisions]
    assert sorted(found) == sorted(f"{writer},{number}" for writer in range(4) for number in range(4))
    assert [name for name in found if name.startswith("2,")] == [f"2,{number}" for number in range(4)]


def test_ingest_reads_them_beside_the_photos(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    photos = write_photos(tmp_path / "photos")
    names = [path.relative_to(photos).as_posix() for path in photos.rglob("*.png")]
    RemoteFolder(f"{FOLDER}/source").upload(photos, names)
    component = Ingest(IngestConfig(dataset=f"{FOLDER}/source"))
    before = component.fingerprint(workspace.root, {})
    for place in (f"{FOLDER}/source/corrections.csv", f"{FOLDER}/ours.csv"):
        append_corrections(place, [Correction("cat/0.png", digest_file(photos / "cat" / "0.png"), "label", "dog")])
    assert component.fingerprint(workspace.root, {}) != before
    examples = running.run(component, workspace)
    assert examples.corrections == {"label": 1}
    assert examples.corrections_file == f"{FOLDER}/source/corrections.csv"
    elsewhere = Ingest(IngestConfig(dataset=str(photos), corrections=f"{FOLDER}/ours.csv"))
    here = Ingest(IngestConfig(dataset=str(photos)))
    assert elsewhere.fingerprint(workspace.root, {}) != here.fingerprint(workspace.root, {})


def test_a_bucket_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"s3://no-such-bucket/ours\.csv cannot be written: .*NoSuchBucket"):
        append_corrections("s3://no-such-bucket/ours.csv", [Correction("a", SHA, "keep")])
    with pytest.raises(ComponentError, match="cannot be read: Is a directory"):
        read_corrections(tmp_path)
