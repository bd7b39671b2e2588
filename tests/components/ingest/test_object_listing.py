from __future__ import annotations

import pytest

from components.ingest.object_listing import Listing, StateDigest
from components.object_storage import RemoteFile, no_file_reason

PHOTO = RemoteFile("a/1.png", 5, 1)


def names(files: list[RemoteFile], manifest: str = "") -> list[str]:
    return [file.name for file in Listing(files, manifest)]


def test_a_listing_gives_back_what_it_was_made_of() -> None:
    files = [PHOTO, RemoteFile("a/ü.png", 2**40, 2**62), RemoteFile("b/tab\t\n.png", 0, 0)]
    assert list(Listing(files)) == files
    assert list(Listing(files)) == files
    assert Listing(iter(files)).digest == StateDigest.of(files).hexdigest()


@pytest.mark.parametrize("change", [("a/2.png", 5, 1), ("a/1.png", 6, 1), ("a/1.png", 5, 2)])
def test_each_change_is_another_state(change: tuple[str, int, int]) -> None:
    assert StateDigest.of([PHOTO]).hexdigest() != StateDigest.of([RemoteFile(*change)]).hexdigest()


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "@eaDir/1.png", "a/.hidden", "$RECYCLE.BIN/1.png", "a/1.AAE", "1.png.json"]
)
def test_what_lies_beside_photos_is_no_change(name: str) -> None:
    beside = [PHOTO, RemoteFile(name, 6, 2)]
    assert StateDigest.of(beside).hexdigest() == StateDigest.of([PHOTO]).hexdigest()
    assert names(beside) == ["a/1.png"]


def test_a_prepared_dataset_is_all_of_its_files() -> None:
    files = [RemoteFile("1.0.0/dataset_info.json", 2, 1), RemoteFile("1.0.0/features.json", 2, 1)]
    assert list(Listing(files)) == files
    assert StateDigest.of(files).is_prepared
    assert StateDigest.of(files).hexdigest() != StateDigest.of(files[:1]).hexdigest()


def test_a_manifest_counts() -> None:
    files = [PHOTO, RemoteFile("labels.csv", 6, 2), RemoteFile("other.csv", 6, 2)]
    assert names(files, "labels.csv") == ["a/1.png", "labels.csv"]


def test_nothing_is_no_state() -> None:
    assert StateDigest.of([]).hexdigest() == ""
    assert StateDigest.of([RemoteFile(".DS_Store", 6, 2)]).hexdigest() == ""


@pytest.mark.parametrize("name", ["a//b.png", "/b.png", "../../up.png", "a/./b.png", "a/\0.png", "x" * 256 + ".png"])
def test_a_name_that_no_file_can_have_is_left_out_with_the_reason(name: str) -> None:
    listing = Listing([RemoteFile(name, 5, 1), PHOTO])
    assert [file.name for file in listing] == ["a/1.png"]
    assert listing.left_out == [(name, no_file_reason(name))]
    assert "no file can have the names of 1 objects" in listing.why_left_out()


@pytest.mark.parametrize("name", ["a/b.png", "a/\t\n.png", "a/...png", "x" * 251 + ".png", "x/" * 510 + "1"])
def test_other_names_are_fine(name: str) -> None:
    assert no_file_reason(name) is None


def test_an_object_and_a_folder_of_one_name() -> None:
    listing = Listing([RemoteFile("a", 5, 1), RemoteFile("a-b/1.png", 5, 1), RemoteFile("a/b/1.png", 5, 1)])
    assert [file.name for file in listing] == ["a-b/1.png", "a/b/1.png"]
    assert listing.left_out == [("a", "the name of a folder of others")]
