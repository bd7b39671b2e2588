"""`python -m pipeline.gc`: removes attempts and artifacts that no kept run needs; shows them first."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from components.registry.layout import PROVENANCE, pushed_folder
from components.registry.versions import Version, versions
from pipeline import dag
from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.root_lock import removing
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import MANIFEST
from pipeline.store.opening import DEFAULT_ROOT, local_root

MEGABYTE = 1e6
KEPT_WITH_VERSION = tuple(component.name for component in dag.COMPONENTS if component.kept_with_version)


class Garbage(NamedTuple):
    """A folder that nobody needs."""

    folder: Path
    what: str
    byte_count: int


def find_garbage(root: Path, kept_runs: int, idle_since: float) -> Iterator[Garbage]:
    """What the newest `kept_runs` runs neither made nor used, nor would go on from. Nobody else may be at work.

    But for those on a cluster whose driver is gone, and with it the lock: of what has no manifest, that counts which
    nobody has written to since `idle_since`, in seconds since 1970.
    """
    store = Store(root)
    needed = needed_keys(store, list(run_records(root))[-kept_runs:])
    # What brought its source with it lies under the key by which it was begun, not under that of its manifest.
    folders = {root / manifest.folder for place in needed if (manifest := store.find(*place)) is not None}
    folders |= {root / folder for version in versions(pushed_folder(root)) for folder in _compared(version)}
    for component in (component.name for component in dag.COMPONENTS):
        for home in sorted(path for path in (root / component).glob("*") if path.is_dir()):
            if (component, home.name) not in needed and home not in {folder.parent for folder in folders}:
                whole = (home / MANIFEST).exists()
                if whole or _last_written(home) < idle_since:
                    yield Garbage(home, "artifact" if whole else "unfinished work", _size(home))
            else:
                attempts = sorted(attempt for attempt in home.glob("attempt-*") if attempt not in folders)
                idle = (attempt for attempt in attempts if _last_written(attempt) < idle_since)
                yield from (Garbage(attempt, "attempt", _size(attempt)) for attempt in idle)


def needed_keys(store: Store, records: Iterable[RunRecord]) -> set[tuple[str, str]]:
    """Component and key of all that these runs made or used, and of what that was made of."""
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
    """Shows what would go; removes it if told to."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.gc",
        description="Shows attempts and artifacts that none of the newest runs needs, and removes them with --yes. "
        "Published versions are kept by push.keep and pins, and with them the images, statistics and evaluation that "
        "reports compare new ones with; records of runs are kept for good.",
    )
    add = parser.add_argument
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR")
    add("--runs", type=int, default=10, metavar="N", help="how many of the newest runs count; 10 unless told otherwise")
    add("--idle_hours", type=float, default=24.0, metavar="H", help="attempts that were written to since are spared")
    add("--yes", action="store_true", help="removes them")
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
    with removing(root) as alone:
        if not alone and options.yes:
            print("error: a run is at work here. Nothing is removed beside it; try again later.", file=sys.stderr)
            return ExitCode.FAILED
        _remove(list(find_garbage(root, options.runs, time.time() - 3600 * options.idle_hours)), root, options.yes)
    return ExitCode.DONE


def _remove(garbage: Sequence[Garbage], root: Path, really: bool) -> None:
    for folder, what, byte_count in garbage:
        print(f"  {what:<16} {byte_count / MEGABYTE:8.1f} MB  {folder.relative_to(root)}")
        if really:
            (folder / MANIFEST).unlink(missing_ok=True)  # first: what is half gone must not be found
            shutil.rmtree(folder, ignore_errors=True)
    total = sum(each.byte_count for each in garbage) / MEGABYTE
    hint = "" if really or not garbage else " --yes removes them."
    print(f"{'removed' if really else 'would remove'} {len(garbage)} folder(s), {total:.1f} MB.{hint}")


def _nodes(root: Path, record: RunRecord) -> Iterable[NodeRecord]:
    """Of a run that was killed, as far as it had come: its record was not written to the end."""
    run = RunFolder(root, record.run_id)
    return record.nodes or [run.read_node(component.name) for component in dag.COMPONENTS]


def _compared(version: Version) -> list[str]:
    """Folders, relative to the root, that reports read beside a published version."""
    artifacts = json.loads((version.folder / PROVENANCE).read_bytes()).get("artifacts", {})
    return [artifacts[name]["folder"] for name in KEPT_WITH_VERSION if name in artifacts]


def _last_written(folder: Path) -> float:
    """In seconds since 1970. What goes while it is looked at is being worked on."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
