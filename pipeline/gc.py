"""`python -m pipeline.gc`: lists attempts and artifacts that no kept run needs, and removes them with --yes."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from components.local_copies import unused_copies
from components.registry.layout import PROVENANCE, pushed_folder
from components.registry.versions import Version, versions
from pipeline import dag
from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.root_lock import has_begun, removing
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import MANIFEST, is_key
from pipeline.store.opening import DEFAULT_ROOT, local_root
from pipeline.text import print_any_text

MEGABYTE = 1e6
UNFINISHED = ("running", "failed", "interrupted", "killed")
KEPT_WITH_VERSION = tuple(component.name for component in dag.COMPONENTS if component.kept_with_version)


class Garbage(NamedTuple):
    """A folder that no kept run needs."""

    folder: Path
    what: str
    byte_count: int


def find_garbage(root: Path, kept_runs: int, idle_since: float) -> Iterator[Garbage]:
    """Yields the folders that the newest `kept_runs` runs neither made nor used, and would not resume from.

    No run may be at work in the root. The lock cannot tell of workers on a cluster whose driver has died. Therefore
    a folder without a manifest counts only if nothing in it was written since `idle_since`, in seconds since 1970.
    """
    store = Store(root)
    needed = needed_keys(store, newest_runs(root, kept_runs))
    # A component that fetches its source commits under another key than it began with; the payload stays at the first.
    folders = {root / manifest.folder for place in needed if (manifest := store.find(*place)) is not None}
    folders |= {root / folder for version in versions(pushed_folder(root)) for folder in _compared(version)}
    for component in (component.name for component in dag.COMPONENTS):
        for home in sorted(path for path in (root / component).glob("*") if is_key(path.name) and path.is_dir()):
            if (component, home.name) not in needed and home not in {folder.parent for folder in folders}:
                whole = (home / MANIFEST).exists()
                if whole or _last_written(home) < idle_since:
                    yield Garbage(home, "artifact" if whole else "unfinished work", _size(home))
            else:
                attempts = sorted(attempt for attempt in home.glob("attempt-*") if attempt not in folders)
                idle = (attempt for attempt in attempts if _last_written(attempt) < idle_since)
                yield from (Garbage(attempt, "attempt", _size(attempt)) for attempt in idle)
    kept = [Path(place) for key in needed if (manifest := store.find(*key)) for place in manifest.places.values()]
    for copy in unused_copies(root, kept, idle_since):
        if _last_written(copy) < idle_since:
            yield Garbage(copy, "copy of a bucket", _size(copy))


def newest_runs(root: Path, count: int) -> list[RunRecord]:
    """Returns the newest `count` runs that completed, and as many that did not.

    They are counted apart, so that a night of failures does not push the last good run out.
    """
    records = list(run_records(root))
    completed = [record for record in records if record.state not in UNFINISHED]
    unfinished = [record for record in records if record.state in UNFINISHED]
    return [*completed[-count:], *unfinished[-count:]]


def needed_keys(store: Store, records: Iterable[RunRecord]) -> set[tuple[str, str]]:
    """Returns (component, key) of each artifact that these runs made or used, and of all artifacts upstream of it."""
    waiting = [(node.component, node.key) for record in records for node in _nodes(store.root, record) if node.key]
    needed: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop()
        if place not in needed:
            needed.add(place)
            manifest = store.find(*place)
            waiting += [(each.component, each.key) for each in manifest.inputs.values()] if manifest is not None else []
    return needed


def main(arguments: Sequence[str] | None = None) -> int:
    """Lists what no kept run needs, and removes it with --yes. Returns the exit code."""
    print_any_text()
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: keep at least one, or the next run begins from nothing.")
    try:
        root = local_root(options.pipeline_root)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    if not root.is_dir():
        parser.error(f"--pipeline_root {options.pipeline_root}: there is no such folder.")
    if not has_begun(root):
        parser.error(
            f"--pipeline_root {options.pipeline_root}: no run has begun here. Name the folder that runs write to."
        )
    with removing(root) as alone:
        if not alone and options.yes:
            print("error: a run is at work here. Nothing is removed beside it; try again later.", file=sys.stderr)
            return ExitCode.FAILED
        _remove(list(find_garbage(root, options.runs, time.time() - 3600 * options.idle_hours)), root, options.yes)
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.gc",
        description="Lists attempts and artifacts that none of the newest runs needs, and removes them with --yes. "
        "Published versions and run records are never removed here: push.keep and pins decide about versions. The "
        "images, statistics and evaluation of a published version stay too: reports compare new runs with them.",
    )
    add = parser.add_argument
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root")
    add("--runs", type=int, default=10, metavar="N", help="keeps what the newest N runs need (default: 10)")
    add("--idle_hours", type=float, default=24.0, metavar="H", help="keeps attempts younger than H hours (default: 24)")
    add("--yes", action="store_true", help="removes what is listed")
    return parser


def _remove(garbage: Sequence[Garbage], root: Path, really: bool) -> None:
    for folder, what, byte_count in garbage:
        shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
        print(f"  {what:<16} {byte_count / MEGABYTE:8.1f} MB  {shown}")
        if really:
            (folder / MANIFEST).unlink(missing_ok=True)  # first, so that nobody finds a half-removed artifact
            shutil.rmtree(folder, ignore_errors=True)
    total = sum(each.byte_count for each in garbage) / MEGABYTE
    hint = "" if really or not garbage else " --yes removes them."
    print(f"{'removed' if really else 'would remove'} {len(garbage)} folder(s), {total:.1f} MB.{hint}")


def _nodes(root: Path, record: RunRecord) -> Iterable[NodeRecord]:
    """Returns the nodes of a run. The record of a killed run has none: then they come from the nodes' own files."""
    run = RunFolder(root, record.run_id)
    return record.nodes or [run.read_node(component.name) for component in dag.COMPONENTS]


def _compared(version: Version) -> list[str]:
    """Folders, relative to the root, that reports read beside a published version."""
    artifacts = json.loads((version.folder / PROVENANCE).read_bytes()).get("artifacts", {})
    return [artifacts[name]["folder"] for name in KEPT_WITH_VERSION if name in artifacts]


def _last_written(folder: Path) -> float:
    """Returns the newest time of change below a folder, in seconds since 1970; now if a file vanishes meanwhile."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()


def _size(folder: Path) -> int:
    """Returns the bytes that its removal frees: not those of files that another folder has as well."""
    files = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(status.st_size for status in files if status.st_nlink == 1)


if __name__ == "__main__":
    sys.exit(main())
