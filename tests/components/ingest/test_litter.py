from __future__ import annotations

import pytest

from components.ingest.litter import is_image_name, litter_kind, no_image_kind


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "desktop.ini", "._1.jpg", ".trashed-170-1.jpg", ".pending-170-1.jpg", ".hidden"]
)
def test_files_of_systems_and_phones_are_litter(name: str) -> None:
    assert litter_kind(name, is_folder=False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("@eaDir", "made by a system"),
        ("lost+found", "made by a system"),
        ("$RECYCLE.BIN", "made by a system"),
        ("System Volume Information", "made by a system"),
        (".Trash-1000", "made by a system"),
        (".git", "made by a tool"),
        (".ipynb_checkpoints", "made by a tool"),
        (".thumbnails", "made by a tool"),
        (".cache", "made by a tool"),
        (".22", None),
        (".gitta", None),
        ("thumbs", None),
        ("cat", None),
    ],
)
def test_folders_are_known_by_name(name: str, kind: str | None) -> None:
    assert litter_kind(name, is_folder=True) == kind


def test_what_lies_beside_photos_is_told_from_them() -> None:
    names = ("IMG_1.AAE", "IMG_1.MOV", "IMG_1.jpg.json", "notes.txt", "IMG_1.HEIC", "IMG_1")
    assert [no_image_kind(name) for name in names] == ["notes or data", "a video", *["notes or data"] * 2, None, None]
    assert [is_image_name(name) for name in names] == [False, False, False, False, True, False]
