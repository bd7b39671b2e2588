"""Corrections in object storage: several write at once, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.component import ComponentError, Workspace
from components.corrections_file import Correction, append_corrections, read_corrections
from components.corrections_place import read_bytes, state
from components.files import digest_file
from components.ingest import Ingest, IngestConfig
from components.object_storage import RemoteFolder
from tests.components.ingest import running
from tests.pipeline.review.findings import write_photos
from tests.s3_server import S3

SHA = "a" * 64
FAIL_EVERY = 23


def test_what_is_written_is_read_again(any_url: str) -> None:
    place = f"{any_url}/one.csv"
    assert (read_corrections(place).decisions, state(place)) == ((), (0, 0))
    append_corrections(place, [Correction("cat/1.jpg", SHA, "keep")])
    before = state(place)
    append_corrections(place, [Correction("a,b.jpg", SHA, "label", "dog")])
    assert [each.file for each in read_corrections(place).decisions] == ["cat/1.jpg", "a,b.jpg"]
    assert state(place) != before


def test_a_line_that_was_cut_short_spoils_no_other(any_url: str) -> None:
    place = f"{any_url}/cut.csv"
    append_corrections(place, [Correction("cat/1.jpg", SHA, "keep")])
    RemoteFolder(any_url).write("cut.csv", read_bytes(place) + b"cat/2.jpg,0123")
    append_corrections(place, [Correction("cat/3.jpg", SHA, "keep")])
    found = read_corrections(place)
    assert ([each.file for each in found.decisions], found.damaged_lines) == (["cat/1.jpg", "cat/3.jpg"], (3,))


def test_many_write_at_once_and_each_line_is_there_once(any_url: str) -> None:
    place = f"{any_url}/many.csv"

    def write(writer: int) -> None:
        for number in range(4):
            append_corrections(place, [Correction(f"{writer},{number}", SHA, "keep")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = [each.file for each in read_corrections(place).decisions]
    assert sorted(found) == sorted(f"{writer},{number}" for writer in range(4) for number in range(4))
    assert [name for name in found if name.startswith("2,")] == [f"2,{number}" for number in range(4)]


def test_ingest_reads_them_beside_the_photos(any_url: str, tmp_path: Path, workspace: Workspace) -> None:
    photos = write_photos(tmp_path / "photos")
    names = [path.relative_to(photos).as_posix() for path in photos.rglob("*.png")]
    RemoteFolder(f"{any_url}/source").upload(photos, names)
    component = Ingest(IngestConfig(dataset=f"{any_url}/source"))
    before = component.fingerprint(workspace.root, {})
    for place in (f"{any_url}/source/corrections.csv", f"{any_url}/ours.csv"):
        append_corrections(place, [Correction("cat/0.png", digest_file(photos / "cat" / "0.png"), "label", "dog")])
    assert component.fingerprint(workspace.root, {}) != before
    examples = running.run(component, workspace)
    assert examples.corrections == {"label": 1}
    assert examples.corrections_file == f"{any_url}/source/corrections.csv"
    elsewhere = Ingest(IngestConfig(dataset=str(photos), corrections=f"{any_url}/ours.csv"))
    here = Ingest(IngestConfig(dataset=str(photos)))
    assert elsewhere.fingerprint(workspace.root, {}) != here.fingerprint(workspace.root, {})


def test_a_bucket_that_is_not_there_is_said(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"s3://no-such-bucket/ours\.csv cannot be written: .*NoSuchBucket"):
        append_corrections("s3://no-such-bucket/ours.csv", [Correction("a", SHA, "keep")])
    with pytest.raises(ComponentError, match="cannot be read: Is a directory"):
        read_corrections(tmp_path)
