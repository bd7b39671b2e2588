"""How folders are understood, and what is said of those that are not."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from components.component import ComponentError
from components.ingest.layout import scan

DISTINGUISHES_NAMES = pytest.mark.skipif(sys.platform == "darwin", reason="the file system takes no such names")


def make(folder: Path, *files: str) -> Path:
    """Empty files; a name that ends in / is an empty folder."""
    for name in files:
        parent, _, file = name.rpartition("/")
        (folder / parent).mkdir(parents=True, exist_ok=True)
        if file:
            (folder / name).touch()
    return folder


def test_a_folder_per_class_is_one_split(tmp_path: Path) -> None:
    layout = scan(make(tmp_path, "dog/1.jpg", "cat/1.jpg", "cat/2.jpg"))
    assert layout.class_names == ("cat", "dog")
    assert {split: [sorted(files) for files in classes] for split, classes in layout.splits.items()} == {
        "train": [["cat/1.jpg", "cat/2.jpg"], ["dog/1.jpg"]]
    }


def test_a_folder_per_split_and_class(tmp_path: Path) -> None:
    layout = scan(make(tmp_path, "train/cat/1", "train/dog/1", "train/dog/2", "test/cat/3", "test/dog/3"))
    assert layout.class_names == ("cat", "dog")
    assert layout.file_counts() == {"test": 2, "train": 3}


def test_the_order_depends_on_names_alone(tmp_path: Path) -> None:
    names = [f"{index:03}.jpg" for index in range(50)]
    one = make(tmp_path / "one", *(f"{label}/{name}" for label in "ab" for name in names))
    other = make(tmp_path / "other", *(f"{label}/{name}" for label in "ba" for name in reversed(names)))
    files = list(scan(one).splits["train"][0])
    assert files == list(scan(other).splits["train"][0])
    assert files != sorted(files)


def test_a_file_takes_no_more_memory_than_its_name(tmp_path: Path) -> None:
    files = scan(make(tmp_path, *(f"{label}/{index:03}.jpg" for label in "ab" for index in range(100)))).splits["train"]
    assert [len(each) for each in files] == [100, 100]
    assert [len(each.names) for each in files] == [800, 800]


def test_hidden_and_stray_files_are_left_out_by_name(tmp_path: Path) -> None:
    layout = scan(make(tmp_path, "a/1", "b/1", "a/.DS_Store", "b/Thumbs.db", ".git/config", "README.md"))
    assert layout.file_counts() == {"train": 2}
    assert sorted(layout.left_out) == [
        (".git", "hidden"),
        ("README.md", "not in the folder of a class"),
        ("a/.DS_Store", "hidden"),
        ("b/Thumbs.db", "hidden"),
    ]


def test_class_names_are_composed_characters(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café")
    assert scan(make(tmp_path, f"{decomposed}/1", "tea/1")).class_names == ("café", "tea")


@DISTINGUISHES_NAMES
def test_names_of_files_need_not_be_utf8(tmp_path: Path) -> None:
    make(tmp_path, "a/1", "b/1", f"a/{os.fsdecode(bytes([0xE9]))}.jpg")
    assert scan(tmp_path).file_counts() == {"train": 3}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "has no sub-folders; expected a sub-folder per class"),
        (["1.jpg", "2.jpg"], "has no sub-folders"),
        (["cat/1.jpg"], "one class only, 'cat'"),
        (["cat/1.jpg", "dog/"], "the class folder 'dog' has no images"),
        (["cat/1.jpg", "dog/.DS_Store"], "the class folder 'dog' has no images"),
        (["cat/1", "cat /2"], "the folders 'cat' and 'cat ' name the same class"),
        (["cat/1", "dog/more/2"], "'dog' has sub-folders and 'cat' has none"),
        (["train/cat/1", "train/dog/2", "test/cat/3"], "split 'test' has no folder for class 'dog'"),
        (["train/cat/1", "train/dog/1/2"], "the class folder 'train/dog' has a sub-folder, '1'"),
        (["all/cat/1", "all/dog/1"], "'all' cannot be a split's name"),
        (["my split/cat/1", "my split/dog/1"], "'my split' cannot be a split's name"),
        (["cat/1", "d\nog/1"], r"the folder 'd\\nog' cannot give a class its name"),
        (["1.0.0/dataset_info.json"], "holds prepared datasets; ingest.dataset must name one of them: .*1.0.0"),
    ],
)
def test_refuses(tmp_path: Path, files: list[str], reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        scan(make(tmp_path, *files))


@DISTINGUISHES_NAMES
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["cat/1", "Cat/2"], "the folders 'Cat' and 'cat' name the same class but for case"),
        (["café/1", unicodedata.normalize("NFD", "café") + "/2"], "name the same class but for case, spaces or"),
        (["cat/1", os.fsdecode(bytes([0xE9])) + "/1"], r"the folder '\\udce9' cannot give a class its name"),
    ],
)
def test_refuses_names_that_only_some_systems_tell_apart(tmp_path: Path, files: list[str], reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        scan(make(tmp_path, *files))


def test_refuses_links_that_lead_back(tmp_path: Path) -> None:
    make(tmp_path, "cat/1", "dog/1")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path)
    with pytest.raises(ComponentError, match=r"'cat/loop' is a link to .*, which it lies in; remove it"):
        scan(tmp_path)


def test_classes_may_be_links(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/dog/1", "data/cat/1")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    assert scan(tmp_path / "data").file_counts() == {"train": 2}
