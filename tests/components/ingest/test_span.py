"""Spans that are read twice, half, after changes, and beside others that find too much unreadable."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.component import ComponentError, Workspace
from components.ingest import Ingest, IngestConfig, span_file
from components.ingest.span import Span, read_span
from components.local_copies import DataCopy
from components.object_storage import RemoteFolder
from pipeline.store.folder_digest import digest_folder
from tests.components.ingest.test_folder import another, write_shades


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 photos, in two spans."""
    return write_shades(tmp_path / "photos", ("a", "b"), 12)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("components.ingest.folder._FILES_A_CORE", 8)


def ingest(source: Path, limit: float = 0.05) -> Ingest:
    return Ingest(IngestConfig(dataset=str(source), max_rejected_fraction=limit))


def spans(workspace: Workspace, source: Path, limit: float = 0.05) -> list[Span]:
    return list(ingest(source, limit).list_shards(workspace))


def records(span: Span) -> list[str]:
    return sorted(path.name for path in span.reading.folder.glob(f"{span.index.stem}-*.records"))


def test_a_span_is_small_and_travels(workspace: Workspace, photos: Path) -> None:
    first, second = spans(workspace, photos)
    assert (len(first.files), len(second.files)) == (16, 8)
    assert sorted(first.files + second.files) == sorted(f"{x}/{n}.png" for x in "ab" for n in range(12))
    assert pickle.loads(pickle.dumps(first)) == first
    assert len(pickle.dumps(first)) < 2000


def test_the_index_says_what_was_read(workspace: Workspace, photos: Path) -> None:
    first, _ = spans(workspace, photos, limit=0.5)
    (photos / first.files[3]).write_bytes(b"no image")
    read_span(first)
    index = span_file.read(first.index)
    assert (index.files, index.split) == (first.files, "train")
    assert np.flatnonzero(index.record_bytes == span_file.REJECTED).tolist() == [3]
    assert (np.delete(index.shapes, 3, axis=0) == (6, 8)).all()
    size, time_ns, read_ns = index.states[3]
    assert (size, time_ns) == (8, (photos / first.files[3]).stat().st_mtime_ns)
    assert time_ns < read_ns
    assert index.sha256[3].tobytes() == hashlib.sha256(b"no image").digest()


def test_a_span_that_was_read_is_not_read_again(workspace: Workspace, photos: Path) -> None:
    first, _ = spans(workspace, photos)
    read_span(first)
    before = records(first)
    next_attempt = dataclasses.replace(workspace, folder=workspace.folder / "next")
    again, _ = spans(next_attempt, photos)
    assert read_span(again) == read_span(first)
    assert records(again) == before


@pytest.mark.parametrize("damage", ["file", "index", "records", "forced"])
def test_a_span_is_read_again_if(workspace: Workspace, photos: Path, damage: str) -> None:
    first, _ = spans(workspace, photos)
    read_span(first)
    file = first.index
    before = records(first)
    if damage == "file":
        os.utime(photos / first.files[0], ns=(0, 10**18))
    elif damage == "index":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "records":
        (first.reading.folder / before[0]).write_bytes(b"half")
    again, _ = spans(dataclasses.replace(workspace, forced=damage == "forced"), photos)
    read_span(again)
    assert len(records(again)) == len(before) + 1


def test_an_attempt_that_was_killed_leaves_no_trace(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    """With the records of a span but no index, half of an index, and half of the dataset."""
    first, second = spans(workspace, photos)
    read_span(first)
    (first.reading.folder / f"{second.index.stem}-0123456789ab.records").write_bytes(b"half")
    (first.reading.folder / ".0123.npz").write_bytes(b"half")
    dataset = workspace.folder / "dataset"
    dataset.mkdir()
    for name in ("photos-train.tfrecord-00000", "photos-train.tfrecord-00001", ".photos-train.tfrecord-00000.1234"):
        (dataset / name).write_bytes(b"half")
    component = ingest(photos)
    for _ in range(2):
        component.combine(workspace, [read_span(span) for span in component.list_shards(workspace)])
    other = another(workspace, tmp_path)
    component.combine(other, [read_span(span) for span in component.list_shards(other)])
    assert digest_folder(workspace.folder) == digest_folder(other.folder)


def test_the_last_step_that_fails_leaves_all_to_the_next_attempt(
    workspace: Workspace, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it has removed files of spans: their photos are not read again."""
    monkeypatch.setattr("components.ingest.assembly._FEWEST_SHARD_BYTES", 1)

    def full(done: float, total: float, note: str) -> None:
        if note == "photos stored" and done == 20:
            raise OSError("No space left on device")

    component = ingest(photos)
    first, second = component.list_shards(workspace)
    with pytest.raises(OSError, match="No space left"):
        component.combine(dataclasses.replace(workspace, report=full), [read_span(first), read_span(second)])
    assert (len(records(first)), len(records(second))) == (0, 1)
    next_attempt = dataclasses.replace(workspace, folder=tmp_path / "next")
    next_attempt.folder.mkdir()
    results = [read_span(span) for span in component.list_shards(next_attempt)]
    assert (len(records(first)), len(records(second))) == (0, 1)
    component.combine(next_attempt, results)
    whole = another(workspace, tmp_path)
    component.combine(whole, [read_span(span) for span in component.list_shards(whole)])
    assert digest_folder(next_attempt.folder) == digest_folder(whole.folder)


def test_another_run_may_remove_the_folder(workspace: Workspace, photos: Path) -> None:
    """It has committed the same work: this one finds the artifact in the end, and must not fail before."""
    first, second = spans(workspace, photos)
    read_span(first)
    shutil.rmtree(first.reading.folder)
    read_span(second)
    assert second.index.exists()


def test_too_many_are_refused_as_soon_as_that_is_certain(workspace: Workspace, photos: Path) -> None:
    first, second = spans(workspace, photos, limit=0.1)
    for file in (first.files[0], first.files[1], second.files[0]):
        (photos / file).write_bytes(b"no image")
    read_span(first)
    with pytest.raises(ComponentError, match=r"Of 24 files in .*photos, 3 and perhaps more cannot be read"):
        read_span(second)


def test_a_file_that_can_be_read_now_is_read(workspace: Workspace, photos: Path) -> None:
    """Although its span was read before, as far as it could be: a file that gets other rights keeps its time."""
    component = ingest(photos, limit=0.1)
    file = photos / "a" / "3.png"
    data, status = file.read_bytes(), file.stat()
    file.write_bytes(b"?" * len(data))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    for span in component.list_shards(workspace):
        read_span(span)
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    examples = component.combine(workspace, [read_span(span) for span in component.list_shards(workspace)])
    assert examples.rejected_files == 0
    assert sum(examples.example_counts.values()) == 24


@pytest.mark.long
def test_another_machine_fetches_the_photos_of_its_span(
    url: str, workspace: Workspace, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = RemoteFolder(f"{url}/span-photos")
    storage.upload(photos, [file.relative_to(photos).as_posix() for file in photos.rglob("*.png")])
    component = Ingest(IngestConfig(dataset=storage.url))
    first, second = component.list_shards(workspace)
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "another"))
    results = [read_span(second)]
    copy = DataCopy.at(storage.url, second.reading.source).part
    assert {file.relative_to(copy).as_posix() for file in copy.rglob("*.png")} == set(second.files)
    examples = component.combine(workspace, [*results, read_span(first)])
    assert examples.dataset == "span_photos/1.0.0"
    assert sum(examples.example_counts.values()) == 24
