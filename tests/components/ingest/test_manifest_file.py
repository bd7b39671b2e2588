"""Manifests as spreadsheets and scripts write them, and what is said of those that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.component import ComponentError
from components.ingest.manifest_file import manifest_digest, manifest_layout, read_rows

PHOTOS = ("cats/1.jpg", "cats/2.jpg", "dogs/1.jpg", "dogs/a, b.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in PHOTOS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, ns=(0, 10**18))
    return tmp_path


def write(folder: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    (folder / "labels.csv").write_bytes((end.join(lines) + end).encode(encoding))
    return folder / "labels.csv"


def test_a_line_for_each_photo(folder: Path) -> None:
    layout = manifest_layout(write(folder, "file,label", "cats/1.jpg,cat", "dogs/1.jpg,dog", '"dogs/a, b.jpg",dog'))
    assert layout.class_names == ("cat", "dog")
    assert [sorted(files) for files in layout.splits["train"]] == [["cats/1.jpg"], ["dogs/1.jpg", "dogs/a, b.jpg"]]
    assert (layout.groups, layout.left_out) == ({}, [])


@pytest.mark.parametrize(
    ("lines", "end", "encoding"),
    [
        (("file,label", "cats/1.jpg,cat", "dogs/1.jpg,dog"), "\r\n", "utf-8-sig"),
        (("File;Label", "cats/1.jpg;cat", "dogs/1.jpg;dog"), "\r\n", "utf-8-sig"),
        (("label\tfile", "cat\tcats/1.jpg", "dog\tdogs/1.jpg"), "\n", "utf-8"),
        (("file, label, width", "cats/1.jpg, cat, 3", '"dogs/1.jpg", "dog", ""', ",,", ""), "\n", "utf-8"),
        (
            ("file,label", "./cats/1.jpg,cat ", "cats\\1.jpg,cat", "dogs/../dogs/1.jpg,dog", "dogs/1.jpg,dog"),
            "\n",
            "utf-8",
        ),
    ],
)
def test_many_programs_write_the_same(folder: Path, lines: tuple[str, ...], end: str, encoding: str) -> None:
    rows = read_rows(write(folder, *lines, end=end, encoding=encoding))
    assert [row[:2] for row in rows] == [("cats/1.jpg", "cat"), ("dogs/1.jpg", "dog")]


def test_splits_and_groups(folder: Path) -> None:
    lines = ("file,label,split,group", "cats/1.jpg,cat,Training,a", "cats/2.jpg,cat,val,b", "dogs/1.jpg,dog,train,a")
    layout = manifest_layout(write(folder, *lines))
    assert {split: [list(files) for files in classes] for split, classes in layout.splits.items()} == {
        "train": [["cats/1.jpg"], ["dogs/1.jpg"]],
        "validation": [["cats/2.jpg"], []],
    }
    assert layout.groups == {"cats/1.jpg": "a", "cats/2.jpg": "b", "dogs/1.jpg": "a"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "has the columns none; expected a header with the columns file and label, and perhaps split and group"),
        (["file,label"], "has no lines below its header; expected photos of two classes"),
        (["name,class", "cats/1.jpg,cat"], "has the columns 'name', 'class'; expected a header"),
        (["file,label,label", "cats/1.jpg,cat,cat"], "has the column 'label' more than once"),
        (["file,label,spilt", "cats/1.jpg,cat,test"], "has a column 'spilt': is 'split' meant"),
        (["file,label", "cats/1.jpg,cat"], "has one class only, 'cat'; expected photos of two classes or more"),
        (["file,label", "cats/1.jpg,cat,more"], "line 2: 3 fields, where the header has 2. A field that holds ','"),
        (["file,label", '"cats/1.jpg,cat'], "line 2: unexpected end of data"),
        (
            ["file,label", ",cat", "cats/1.jpg,", "cats/2.jpg, "],
            "1 with no file: line 2; 2 with no label: line 3, line 4",
        ),
        (["file,label", "/cats/1.jpg,cat"], "1 with a path that is not relative: line 2 .'/cats/1.jpg'."),
        (["file,label", "cats/\0.jpg,cat"], r"1 with a path that holds a zero byte: line 2 .'cats/.x00.jpg'."),
        (["file,label", '"cats/1.jpg","a\nb"'], "1 with a label that is not printable: line 3 .'a.*b'."),
        (
            ["file,label,split", "cats/1.jpg,cat,holdout", "cats/2.jpg,cat,"],
            "2 with a split other than train, .*eval .in any case.: line 2 .'holdout'., line 3 .'empty'.",
        ),
        (
            ["file,label", *(f"{number}.jpg,cat" for number in range(9)), "dogs/1.jpg,dog"],
            "photos that are not there, 9 of 10: 0.jpg, 1.jpg, 2.jpg, .... The column file holds paths relative to",
        ),
        (["file,label", "cats,cat", "dogs/1.jpg,dog"], "names photos that are not there, 1 of 2: cats"),
        (
            ["file,label", "cats/1.jpg,cat", "cats/1.jpg,dog"],
            "has files with several labels or splits, 1 in all: 'cats/1.jpg' .cat, dog.",
        ),
        (
            ["file,label", "cats/1.jpg,cat", "cats/2.jpg,Cat"],
            "has labels that differ in case only, 1 in all: 'cat' .Cat, cat.",
        ),
        (
            ["file,label,split", "cats/1.jpg,cat,train", "cats/1.jpg,cat,test"],
            "has files with several labels or splits, 1 in all: 'cats/1.jpg' .cat test, cat train.",
        ),
        (
            ["file,label,split,group", "cats/1.jpg,cat,train,rex", "dogs/1.jpg,dog,test,rex"],
            "has groups in more than one split, 1 in all: 'rex' .test, train.",
        ),
        (
            ["file,label,split", "cats/1.jpg,cat,train", "dogs/1.jpg,dog,test"],
            "split train has no photo of 1 of 2 classes: dog",
        ),
    ],
)
def test_refuses(folder: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        manifest_layout(write(folder, *lines) if lines else write(folder, end=""))


def test_refuses_other_encodings(folder: Path) -> None:
    with pytest.raises(ComponentError, match=r"is not UTF-8 .*; save it as CSV in UTF-8"):
        read_rows(write(folder, "file,label", "café/1.jpg,café", encoding="latin-1"))
    with pytest.raises(ComponentError, match="is not UTF-8"):
        read_rows(write(folder, "file,label", encoding="utf-16"))


def test_the_digest_is_of_what_the_manifest_says(folder: Path) -> None:
    before = manifest_digest(write(folder, "file,label", "cats/1.jpg,cat", "dogs/1.jpg,dog"))
    same = write(folder, "label,file,notes", "dog,dogs/1.jpg,a", "cat,cats/1.jpg,b", end="\r\n", encoding="utf-8-sig")
    assert manifest_digest(same) == before
    (folder / "cats" / "2.jpg").unlink()  # not named
    assert manifest_digest(same) == before
    (folder / "cats" / "1.jpg").write_bytes(b"other")
    changed = manifest_digest(same)
    (folder / "cats" / "1.jpg").unlink()
    assert len({before, changed, manifest_digest(same)}) == 3
    assert manifest_digest(write(folder, "file,label", "cats/1.jpg,dog", "dogs/1.jpg,dog")) != before
