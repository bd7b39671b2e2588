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


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "val"), {"train", "validation"}),
        (("Training", "DEV", "eval"), {"train", "validation", "test"}),
        (("train", "valid", "testing"), {"train", "validation", "test"}),
    ],
)
def test_splits_have_one_name_however_folders_spell_them(
    tmp_path: Path, names: tuple[str, ...], splits: set[str]
) -> None:
    layout = scan(make(tmp_path, *(f"{name}/{label}/1.jpg" for name in names for label in ("cat", "dog"))))
    assert set(layout.splits) == splits
    assert layout.class_names == ("cat", "dog")


def test_photos_lie_at_any_depth_below_a_class(tmp_path: Path) -> None:
    make(tmp_path / "flat", "cat/2024/trip/x.jpg", "cat/y.jpg", "dog/2023/z.jpg")
    flat = scan(tmp_path / "flat")
    assert flat.class_names == ("cat", "dog")
    assert [sorted(files) for files in flat.splits["train"]] == [
        ["cat/2024/trip/x.jpg", "cat/y.jpg"],
        ["dog/2023/z.jpg"],
    ]
    make(tmp_path / "split", *(f"{split}/{label}/a/b/1.jpg" for split in ("train", "test") for label in ("cat", "dog")))
    assert scan(tmp_path / "split").file_counts() == {"train": 2, "test": 2}
    assert sorted(scan(tmp_path / "split").splits["test"][0]) == ["test/cat/a/b/1.jpg"]


def test_a_folder_named_as_a_split_may_clearly_be_a_class(tmp_path: Path) -> None:
    assert scan(make(tmp_path, "bus/1.jpg", "car/1.jpg", "train/1.jpg")).class_names == ("bus", "car", "train")


def test_folders_without_photos_are_no_splits(tmp_path: Path) -> None:
    layout = scan(make(tmp_path, "train/cat/1", "train/dog/1", "test/cat/1", "test/dog/1", "docs/a.md", "val/"))
    assert layout.file_counts() == {"train": 2, "test": 2}
    assert layout.left_out == [("docs", "a folder without photos"), ("val", "a folder without photos")]


def test_litter_is_left_out_by_kind_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "a/2024/2.jpg", "b/3.jpg", "a/2024/.DS_Store", "a/2024/@eaDir/2.jpg", "b/.picture.jpg")
    make(tmp_path, "b/3.AAE", "b/3.MOV", "b/3.jpg.json", "b/._3.jpg", "b/.trashed-1-4.jpg", ".git/5.jpg", ".x/readme")
    layout = scan(tmp_path)
    assert layout.file_counts() == {"train": 3}
    assert dict(layout.left_out) == {
        ".git": "made by a tool",
        ".x": "hidden",
        "a/2024/.DS_Store": "made by a system",
        "a/2024/@eaDir": "made by a system",
        "b/._3.jpg": "made by a system",
        "b/.picture.jpg": "hidden",
        "b/.trashed-1-4.jpg": "made by a system",
        "b/3.AAE": "notes or data",
        "b/3.MOV": "a video",
        "b/3.jpg.json": "notes or data",
    }


@pytest.mark.parametrize("name", [".22", "👩\u200d🌾", "白\u3000猫", "नि\u200dष", "ß", "\u202eabc"])
def test_class_names_hold_any_letters(tmp_path: Path, name: str) -> None:
    assert set(scan(make(tmp_path, f"{name}/1.jpg", "dog/1.jpg")).class_names) == {name, "dog"}


def test_a_thousand_classes(tmp_path: Path) -> None:
    layout = scan(make(tmp_path, *(f"{label:05}/{number}" for label in range(1000) for number in range(2))))
    assert len(layout.class_names) == 1000
    assert layout.file_counts() == {"train": 2000}


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
        (".git", "made by a tool"),
        ("README.md", "not in the folder of a class"),
        ("a/.DS_Store", "made by a system"),
        ("b/Thumbs.db", "made by a system"),
    ]


def test_photos_beside_the_classes_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan(make(tmp_path, "a/1", "b/1", "README.md"))
    assert caplog.messages == []
    scan(make(tmp_path, "x.jpg", "y.jpg"))
    (said,) = caplog.messages
    assert (
        said
        == f"2 photos lie in {tmp_path} itself, in no folder of a class, and are left out, such as 'x.jpg', 'y.jpg'"
    )


def test_a_class_may_be_called_as_the_bin_of_an_old_system_is(tmp_path: Path) -> None:
    assert scan(make(tmp_path, "Recycler/1.jpg", "bottle/1.jpg")).class_names == ("Recycler", "bottle")


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
        (["1.jpg", "2.jpg"], "has photos, but no sub-folders"),
        (["cat/1.jpg"], "one class only, 'cat'"),
        (["cat/1.jpg", "dog/"], "the class folder 'dog' has no images"),
        (["cat/1.jpg", "dog/.DS_Store"], "the class folder 'dog' has no images"),
        (["cat/1", "cat /2"], "the folders 'cat' and 'cat ' name the same class"),
        (["train/cat/1", "train/dog/2", "test/cat/3"], "split 'test' has no folder for class 'dog'"),
        (["train/cat/1", "train/dog/2", "test/cat/3", "test/dog/"], "the class folder 'test/dog' has no images"),
        (["val/a/1", "validation/a/1", "train/a/1"], "'val' and 'validation' name the same split, validation; merge"),
        (
            ["train/1.jpg", "test/2.jpg"],
            "splits without classes: the photos in 'test', 'train' lie in no folder of a class. Layouts that work: "
            "test/cat/1.jpg and test/dog/2.jpg.*cat/1.jpg and dog/2.jpg.* a .csv file.* give them other names",
        ),
        (["train/1.jpg"], "splits without classes: the photos in 'train' lie"),
        (
            ["train/cat/1.jpg", "train/dog/1.jpg", "test/2.jpg"],
            "the split 'train' has a folder per class, but the photos in 'test' lie in none. .* move 'test' out",
        ),
        (
            ["train/cat/1", "train/dog/1", "cat/1"],
            "the names of splits, 'train', beside others, 'cat'. If the first are",
        ),
        (["train/1", "val/2", "a/3", "b/4", "c/5", "d/6"], "splits, 'train', 'val', beside others, 'a', 'b', 'c', ..."),
        (["train/1", "test1/2"], "If all are classes, give 'train' another name, such as 'train_'"),
        (
            ["photos/cat/1", "photos/dog/1"],
            "one class only, 'photos'.*If 'cat', 'dog' in it are the classes, set .*/photos",
        ),
        (["cat/1", "\u200d/1"], "cannot give a class its name"),
        (["cat/1", "d\u2028g/1"], "cannot give a class its name"),
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


def test_refuses_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    make(tmp_path, "cat/1", "dog/1")
    (tmp_path / "cat" / "a").symlink_to(tmp_path / "dog")
    (tmp_path / "dog" / "b").symlink_to(tmp_path / "cat")
    with pytest.raises(ComponentError, match="'cat/a/b' is reached by links that lead in a circle; remove one of them"):
        scan(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_refuses_folders_that_cannot_be_listed(tmp_path: Path) -> None:
    make(tmp_path, "cat/1", "dog/1", "dog/more/2")
    (tmp_path / "dog" / "more").chmod(0)
    try:
        with pytest.raises(ComponentError, match=r"dog/more cannot be listed: Permission denied. Make it readable"):
            scan(tmp_path)
    finally:
        (tmp_path / "dog" / "more").chmod(0o755)


def test_classes_may_be_links(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/dog/1", "data/cat/1")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    assert scan(tmp_path / "data").file_counts() == {"train": 2}
