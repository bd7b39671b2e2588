"""Finds the photos of a folder or a manifest, and assigns each to a split, with its copies and with its group."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from components.artifacts import LOGS
from components.component import ComponentError, Workspace
from components.files import write_whole
from components.ingest import IngestConfig
from components.ingest.bursts import find_bursts, find_cut_bursts
from components.ingest.copies import find_copies
from components.ingest.drawing import Photo, Unit, draw
from components.ingest.layout import Layout, scan
from components.ingest.manifest_file import manifest_layout
from components.ingest.photo_tree import Files, printable
from components.ingest.split_names import ADDED
from components.ingest.splits import own_percents

logger = logging.getLogger(__name__)
CONFLICT = "the same picture under two labels"
_NAMED = 3  # conflicts listed in a message


class Copy(NamedTuple):
    """A file that has the bytes, or the pixels, of another one."""

    split: str  # of the source
    label: int
    file: str  # relative


def find_layout(config: IngestConfig, source: Path) -> Layout:
    """Returns the photos of a folder or manifest, by split and class, as far as the source itself says.

    Raises ComponentError if the source is not a known layout, or if the config's slices might cut its groups.
    """
    layout = manifest_layout(source) if source.is_file() else scan(source)
    sliced = [slice_ for slice_ in (config.splits.named().values() if config.splits else ()) if "[" in slice_]
    if layout.groups and sliced:
        raise ComponentError(
            f"{source} has a column group, and ingest.splits has the slice {sliced[0]!r}, which may cut a group. Leave "
            "ingest.splits out, and the splits are drawn by groups; or name splits in a column split"
        )
    return layout


def keep_together(
    config: IngestConfig, workspace: Workspace, source: Path, layout: Layout
) -> tuple[Layout, list[Unit]]:
    """Returns the layout without pictures under two labels, and the units of photos that no drawn split may cut.

    Files with the same bytes under different labels are left out, all of them. Units are the photos of a group, copies
    and bursts, in train; none if nothing is drawn.

    Raises ComponentError if more files are in conflict than the config allows.
    """
    folder = source.parent if source.is_file() else source
    copies = [list(group) for group in _copies(folder, layout, workspace)]
    conflicts = [group for group in copies if len({copy.label for copy in group}) > 1]
    if conflicts:
        layout = _without_conflicts(config, workspace, source, layout, conflicts, "byte")
    layout = replace(layout, cut_bursts=_count_cut_bursts(config, workspace, folder, layout))
    if not drawn_percents(config, layout):
        return layout, []
    same = [group for group in copies if len({copy.label for copy in group}) == 1]
    bursts = _bursts(config, workspace, folder, layout.splits["train"], same)
    if same or bursts:
        text = "Kept in one split each: %d groups of copies, and %d bursts of %d photos in all"
        logger.info(text, len(same), len(bursts), sum(map(len, bursts)))
    copies_in_train = ([(copy.label, copy.file) for copy in group if copy.split == "train"] for group in same)
    return replace(layout, bursts=len(bursts)), list(_units(layout, chain(copies_in_train, bursts)))


def _bursts(
    config: IngestConfig, workspace: Workspace, folder: Path, train: list[Files], copies: list[list[Copy]]
) -> list[list[Photo]]:
    """Returns the photos of each burst, without those that are copies of one photo."""
    if not config.burst_seconds:
        return []
    original = {copy.file: group[0].file for group in copies for copy in group}
    found = find_bursts(folder, train, config.burst_seconds, workspace.report)
    return [burst for burst in found if len({original.get(file, file) for _, file in burst}) > 1]


def _count_cut_bursts(config: IngestConfig, workspace: Workspace, folder: Path, layout: Layout) -> int:
    """Returns how many bursts lie in several of the source's splits, which are kept as they are."""
    given = {split: classes for split, classes in layout.splits.items() if split != ADDED}
    if not config.burst_seconds or len(given) == 1:
        return 0
    return len(find_cut_bursts(folder, given, config.burst_seconds, workspace.report))


def join_copies(
    config: IngestConfig,
    workspace: Workspace,
    source: Path,
    layout: Layout,
    units: list[Unit],
    copies: list[list[Copy]],
) -> tuple[Layout, list[Unit], frozenset[str]]:
    """Does for files with the same pixels what `keep_together` did for those with the same bytes, which are among them.

    Returns the layout, the units, and the files of train that have a copy in another split of the source.
    """
    conflicts = [group for group in copies if len({copy.label for copy in group}) > 1]
    if conflicts:
        layout = _without_conflicts(config, workspace, source, layout, conflicts, "pixel")
    left_out = {copy.file for group in conflicts for copy in group}
    units = [tuple(photo for photo in unit if photo[1] not in left_out) for unit in units]
    same = [group for group in copies if len({copy.label for copy in group}) == 1]
    in_train = ([(copy.label, copy.file) for copy in group if copy.split == "train"] for group in same)
    across = (group for group in same if len({copy.split for copy in group}) > 1)
    fixed = {copy.file for group in across for copy in group if copy.split == "train"}
    return layout, list(_units(layout, chain(map(list, units), in_train))), frozenset(fixed)


def draw_splits(
    config: IngestConfig, source: Path, layout: Layout, units: list[Unit], fixed: Collection[str] = ()
) -> Layout:
    """Returns the layout with the splits that the source lacks, if there are units: drawn so that none cuts a unit.

    Without units, or if the config gives splits, they stay what the source has, and slices divide them. The files in
    `fixed`, and what belongs to them, stay in train: they have copies in splits that the source has. Raises
    ComponentError if too many photos belong together.
    """
    percents = drawn_percents(config, layout)
    if not (percents and (units or fixed)):
        return layout
    stay = {*fixed, *(file for unit in units if any(file in fixed for _, file in unit) for _, file in unit)}
    train = layout.splits["train"]
    try:
        free = [unit for unit in units if unit[0][1] not in stay]
        drawn = draw([_without(files, stay) for files in train], free, percents)
    except ValueError as error:
        raise ComponentError(f"In {source}, {error}") from error
    elsewhere = {file for split, classes in drawn.items() if split != "train" for files in classes for file in files}
    return replace(layout, splits={**layout.splits, **drawn, "train": [_without(files, elsewhere) for files in train]})


def drawn_percents(config: IngestConfig, layout: Layout) -> dict[str, int]:
    """Returns how many percent of train each split gets that may be drawn, train first; none if all are given."""
    percents = own_percents(layout.splits)
    return {} if config.splits is not None or "train" not in layout.splits or len(percents) == 1 else percents


def _copies(folder: Path, layout: Layout, workspace: Workspace) -> Iterator[Iterable[Copy]]:
    """Yields the files of each group with the same bytes."""
    groups = find_copies(folder, lambda: (copy.file for copy in _all(layout)), workspace.report)
    wanted = {index for group in groups for index in group}
    by_index = {index: copy for index, copy in enumerate(_all(layout)) if index in wanted}
    return ([by_index[index] for index in group] for group in groups)


def _all(layout: Layout) -> Iterator[Copy]:
    for split, classes in layout.splits.items():
        for label, files in enumerate(classes):
            for file in files:
                yield Copy(split, label, file)


def _units(layout: Layout, together: Iterable[list[Photo]]) -> Iterator[Unit]:
    """Yields the photos of train that belong together: those of one group, and others with what belongs to them."""
    label_of: dict[str, int] = {}
    leader: dict[str, str] = {}

    def find(file: str) -> str:
        while leader.setdefault(file, file) != file:
            leader[file] = leader[leader[file]]
            file = leader[file]
        return file

    first_of_group: dict[str, str] = {}
    for label, files in enumerate(layout.splits["train"]):
        for file in files if layout.groups else ():
            if group := layout.groups.get(file):
                label_of[file] = label
                leader[find(file)] = find(first_of_group.setdefault(group, file))
    for photos in together:
        for label, file in photos:
            label_of[file] = label
            leader[find(file)] = find(photos[0][1])
    members: dict[str, list[Photo]] = {}
    for file, label in label_of.items():
        members.setdefault(find(file), []).append((label, file))
    return (tuple(sorted(unit)) for unit in members.values() if len(unit) > 1)


def _without_conflicts(
    config: IngestConfig, workspace: Workspace, source: Path, layout: Layout, conflicts: list[list[Copy]], same: str
) -> Layout:
    """Returns the layout without the copies of pictures with several labels, which are listed in a file.

    `same` says in what they are copies: "byte" or "pixel".
    """
    left_out = {copy.file for group in conflicts for copy in group}
    _list_conflicts(workspace, layout, conflicts)
    total, limit = sum(layout.file_counts().values()), config.max_rejected_fraction
    if len(left_out) > limit * total:
        some = "; ".join(map(_one_of_each_label, conflicts[:_NAMED]))
        raise ComponentError(
            f"In {source}, the same pictures, {same} for {same}, lie under several labels: {some}"
            f"{'; ...' if len(conflicts) > _NAMED else ''}. These are {len(left_out)} of {total} files, and "
            f"ingest.max_rejected_fraction allows {limit:.1%}. Keep each picture under its right label"
        )
    logger.warning(
        "%d files are left out: the same pictures, %s for %s, lie under several labels. All are listed in "
        "logs/conflicts.jsonl beside the examples",
        *(len(left_out), same, same),
    )
    splits = {split: [_without(files, left_out) for files in classes] for split, classes in layout.splits.items()}
    for split, classes in splits.items():
        for name, files, before in zip(layout.class_names, classes, layout.splits[split], strict=True):
            if before and not files:
                raise ComponentError(
                    f"In {source}, all photos of class {name!r} in split {split!r} lie under another label as well; "
                    "keep each picture under its right label"
                )
    return replace(layout, splits=splits, left_out=layout.left_out + [(file, CONFLICT) for file in sorted(left_out)])


def _one_of_each_label(group: list[Copy]) -> str:
    files = {copy.label: copy.file for copy in sorted(group, reverse=True)}
    return " = ".join(map(repr, sorted(files.values())[:_NAMED]))


def _list_conflicts(workspace: Workspace, layout: Layout, conflicts: list[list[Copy]]) -> None:
    """Adds to `logs/conflicts.jsonl` a line for each picture, with the label of each of its files."""
    path = workspace.folder / LOGS / "conflicts.jsonl"
    path.parent.mkdir(exist_ok=True)
    named = ({printable(copy.file): layout.class_names[copy.label] for copy in group} for group in conflicts)
    lines = [json.dumps({"files": files}, ensure_ascii=False) for files in named]
    earlier = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    write_whole(path, "".join(f"{line}\n" for line in dict.fromkeys([*earlier, *lines])))  # once each, if run twice


def _without(files: Files, left_out: Collection[str]) -> Files:
    if not any(file in left_out for file in files):
        return files
    names = (name for name in files.relative_names() if os.path.join(files.folder, name) not in left_out)
    return Files.of(files.folder, names)
