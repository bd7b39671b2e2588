"""Finds what a folder of images holds: `<folder>/<class>/...`, or `<folder>/<split>/<class>/...`.

Sub-folders are splits if all of them that hold photos are named as splits and have folders in them; below a class,
photos lie at any depth. Among others, one folder named as a split is a class if photos lie in it, none in a folder of
its own, beside two classes or more: `bus`, `car`, `train`. Any other mixture is refused.
"""

from __future__ import annotations

import logging
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from components.component import ComponentError
from components.ingest.litter import is_image_name
from components.ingest.photo_tree import (
    NO_CLASS,
    Files,
    LeftOut,
    class_files,
    has_loose_photos,
    has_photos,
    sub_folders,
)
from components.ingest.sources import is_prepared
from components.ingest.split_names import split_name

logger = logging.getLogger(__name__)
_EXPECTED = (
    "expected a sub-folder per class, or a sub-folder per split (train, validation, test) and in each of them one per "
    "class, or a .csv file that names each photo and its label"
)
_NAMED = 3  # folders listed in a message
# Control characters, halves of characters, ends of lines and of paragraphs.
_NO_LETTERS = ("Cc", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Layout:
    """The files by split and class, and the files that are left out, with the reason. Paths are relative."""

    class_names: tuple[str, ...]
    splits: dict[str, list[Files]]  # by name: the files of each class
    left_out: LeftOut = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)  # by file: the group that must not be cut
    corrections: dict[str, int] = field(default_factory=dict)  # how many were applied, by decision, or passed over
    bursts: int = 0  # how many were found among the photos of train
    cut_bursts: int = 0  # how many lie in several of the source's splits

    def file_counts(self) -> dict[str, int]:
        """Returns the number of files of each split."""
        return {split: sum(map(len, classes)) for split, classes in self.splits.items()}


def scan(folder: Path) -> Layout:
    """Finds the layout of `folder`. Raises ComponentError, which names the place, if the layout is not a known one."""
    left_out: LeftOut = []
    names = sub_folders(folder, "", left_out)
    if not names:
        loose = "photos, but no" if has_loose_photos(folder, "") else "no"
        raise ComponentError(f"{folder} has {loose} sub-folders; {_EXPECTED}")
    prepared = [str(folder / name) for name in names if is_prepared(folder / name)]
    if prepared:
        raise ComponentError(
            f"{folder} holds prepared datasets; ingest.dataset must name one of them: {', '.join(prepared)}"
        )
    _warn_of_loose(folder, left_out)
    if not _are_splits(folder, names):
        return make_layout(folder, {"train": _by_class(folder, "", names)}, left_out)
    with_photos = [name for name in names if has_photos(folder, name)]
    left_out += [(name, "a folder without photos") for name in names if name not in with_photos]
    by_split = {
        split: _by_class(folder, name, sub_folders(folder, name, left_out))
        for split, name in _by_split(folder, with_photos).items()
    }
    return make_layout(folder, by_split, left_out)


def _warn_of_loose(folder: Path, left_out: LeftOut) -> None:
    loose = [name for name, reason in left_out if reason == NO_CLASS and is_image_name(name)]
    if loose:
        text = "%d photos lie in %s itself, in no folder of a class, and are left out, such as %s"
        logger.warning(text, len(loose), folder, _some(loose))


def _are_splits(folder: Path, names: list[str]) -> bool:
    """Returns whether the folders are splits, rather than classes. Raises ComponentError if that is not clear."""
    named = [name for name in names if split_name(name) and has_photos(folder, name)]
    if not named:
        return False
    others = [name for name in names if not split_name(name) and has_photos(folder, name)]
    divided = [name for name in named if any(has_photos(folder, place) for place in _places(folder, name))]
    if not others:
        _require_classes(folder, named, divided)
        return True
    if len(named) == 1 and not divided and len(others) > 1:
        return False
    raise ComponentError(
        f"{folder} holds folders with the names of splits, {_some(named)}, beside others, {_some(others)}. If the "
        f"first are splits, move the others out of {folder}, or into a folder per class in each split. If all are "
        f"classes, give {named[0]!r} another name, such as {named[0] + '_'!r}"
    )


def _places(folder: Path, name: str) -> list[str]:
    return [os.path.join(name, inner) for inner in sub_folders(folder, name, [])]


def _require_classes(folder: Path, named: list[str], divided: list[str]) -> None:
    """Raises ComponentError if the photos of a split lie in no folders of classes."""
    loose = [name for name in named if name not in divided]
    if divided and loose:
        raise ComponentError(
            f"In {folder}, the split {divided[0]!r} has a folder per class, but the photos in {_some(loose)} lie in "
            f"none. Sort them into such folders; or, if their classes are not known, move {_some(loose)} out of "
            f"{folder}"
        )
    if loose:
        raise ComponentError(
            f"{folder} holds splits without classes: the photos in {_some(loose)} lie in no folder of a class. Layouts "
            f"that work: {loose[0]}/cat/1.jpg and {loose[0]}/dog/2.jpg, a folder per class in each split; cat/1.jpg "
            "and dog/2.jpg, and the splits are drawn; a .csv file with the columns file, label and split, named as "
            f"ingest.dataset. If {_some(loose)} are classes, give them other names"
        )


def _by_split(folder: Path, names: list[str]) -> dict[str, str]:
    """Returns the folder of each split, by the name under which the split is stored."""
    by_split: dict[str, str] = {}
    for name in names:
        split = split_name(name) or name
        if by_split.setdefault(split, name) != name:
            raise ComponentError(
                f"In {folder}, the folders {by_split[split]!r} and {name!r} name the same split, {split}; merge them"
            )
    return by_split


def make_layout(folder: Path, by_split: dict[str, dict[str, str]], left_out: LeftOut) -> Layout:
    """Makes the Layout from the folder of each class in each split."""
    class_names = sorted(set().union(*by_split.values()))
    if len(class_names) < 2:
        raise ComponentError(_one_class(folder, class_names[0], by_split))
    for split, by_class in by_split.items():
        for class_name in class_names:
            if class_name not in by_class:
                raise ComponentError(
                    f"In {folder}, split {split!r} has no folder for class {class_name!r}, which other splits have; "
                    "every split needs every class"
                )
    files = {
        split: [class_files(folder, by_class[class_name], left_out) for class_name in class_names]
        for split, by_class in by_split.items()
    }
    return Layout(tuple(class_names), files, left_out)


def _one_class(folder: Path, class_name: str, by_split: dict[str, dict[str, str]]) -> str:
    place = next(by_class[class_name] for by_class in by_split.values() if class_name in by_class)
    inner = sub_folders(folder, place, [])
    hint = f". If {_some(inner)} in it are the classes, set ingest.dataset to {folder / place}" if inner else ""
    return f"{folder} has one class only, {class_name!r}; {_EXPECTED}, for two classes or more{hint}"


def _by_class(folder: Path, parent: str, names: list[str]) -> dict[str, str]:
    """Returns the folder of each class, by the class's name."""
    by_class: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name in names:
        place = os.path.join(parent, name)
        label = class_name(name)
        if label is None:
            raise ComponentError(f"In {folder}, the folder {place!a} cannot give a class its name: rename it")
        twin = seen.setdefault(label.casefold(), place)
        if twin != place:
            raise ComponentError(
                f"In {folder}, the folders {twin!r} and {place!r} name the same class but for case, spaces or the "
                "way in which accents are written; merge or rename them"
            )
        by_class[label] = place
    return by_class


def class_name(name: str) -> str | None:
    """Returns the name in composed characters, without spaces around it; None if it cannot be the name of a class.

    Any letters will do, with joiners and spaces between them, but no control characters and no ends of lines.
    """
    label = unicodedata.normalize("NFC", name).strip()
    kinds = {unicodedata.category(letter) for letter in label}
    return None if kinds.intersection(_NO_LETTERS) or kinds <= {"Cf", "Zs"} else label


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")
