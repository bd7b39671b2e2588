"""A review of what lies in object storage: the root, the photos, and the decisions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.corrections_file import read_corrections
from components.object_storage import RemoteFolder
from pipeline.errors import UsageError
from pipeline.review.decisions import Decisions
from pipeline.review.opening import Review, open_review
from tests.pipeline.review.findings import FINDINGS, Reviewed, record
from tests.s3_server import BUCKET

pytestmark = pytest.mark.usefixtures("s3")
PHOTOS, ROOT = f"s3://{BUCKET}/photos", f"s3://{BUCKET}/roots/one"


@pytest.fixture
def uploaded(tmp_path: Path) -> Reviewed:
    """The root and the photos are in storage, and no longer on this machine."""
    made = record(
        tmp_path, FINDINGS, config={"ingest": {"dataset": PHOTOS}}, source="/of/another/machine/photos",
        corrections_file=f"{PHOTOS}/corrections.csv",
    )  # fmt: skip
    for place, folder in ((made.root, ROOT), (made.photos, PHOTOS)):
        RemoteFolder(folder).upload(place, [path.relative_to(place).as_posix() for path in files(place)])
        os.rename(place, place.with_name(f"{place.name}_before"))
    return made


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def on_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Review:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(folder))
    return open_review(ROOT, None, None, None)


def test_two_machines_share_the_decisions_and_fetch_only_photos_that_are_shown(
    uploaded: Reviewed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (on_machine(tmp_path / name, monkeypatch) for name in ("ours", "theirs"))
    assert {path.relative_to(ours.folder).as_posix() for path in files(ours.folder)} == {
        file for item in ours.items for file in item.files
    }
    assert ours.corrections == theirs.corrections == f"{PHOTOS}/corrections.csv"
    mine, yours = (Decisions(review.corrections, review.folder) for review in (ours, theirs))
    mine.decide(ours.items[0].files, "label", label="dog")
    yours.decide(theirs.items[0].files, "keep")
    mine.decide(ours.items[3].files, "leave_out")
    yours.refresh()
    assert [yours.is_decided(item) for item in theirs.items] == [True, False, False, True, False]
    assert len(read_corrections(ours.corrections).decisions) == 3
    assert not uploaded.root.exists()


def test_a_file_in_storage_for_photos_on_this_machine(tmp_path: Path) -> None:
    reviewed = record(tmp_path)
    place = f"s3://{BUCKET}/ours.csv"
    review = open_review(reviewed.root, None, None, place)
    Decisions(review.corrections, review.folder).decide(review.items[0].files, "keep")
    assert [each.file for each in read_corrections(place).decisions] == ["cat/0.png"]


def test_a_bucket_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="there is no bucket no-such-bucket: make it"):
        open_review("s3://no-such-bucket/root", None, None, None)
