"""`python -m pipeline.gc`: lists attempts and artifacts that no kept run needs, and removes them with --yes."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from components.local_copies import unused_copies
from components.object_storage import is_remote
from components.registry.layout import PROVENANCE, pushed_folder, version_folder
from components.registry.registry import open_registry
from components.registry.versions import Version, versions
from pipeline import dag
from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.killed import SILENCE_SECONDS, last_heard
from pipeline.orchestrator.root_lock import has_begun, removing
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.opening import DEFAULT_ROOT, local_root, open_store
from pipeline.store.tree import Tree, open_tree
from pipeline.text import print_any_text

MEGABYTE = 1e6
UNFINISHED_VERSION = "unfinished version"
UNFINISHED = ("running", "failed", "interrupted", "killed")
KEPT_WITH_VERSION = tuple(component.name for component in dag.COMPONENTS if component.kept_with_version)


class Garbage(NamedTuple):
    """A folder that no kept run needs."""

    folder: Path
    what: str
    byte_count: int


def find_garbage(store: Store, kept_runs: int, idle_since: float) -> Iterator[Garbage]:
    """Yields the folders that the newest `kept_runs` runs neither made nor used, and would not resume from.

    No run may be at work in the root. The lock cannot tell of workers on a cluster whose driver has died. Therefore
    a folder without a manifest counts only if nothing in it was written since `idle_since`, in seconds since 1970 by
    the clock of the storage.
    """
    root, tree = store.root, open_tree(store)
    needed = needed_keys(store, newest_runs(root, kept_runs))
    # A component that fetches its source commits under another key than it began with; the payload stays at the first.
    folders = {root / manifest.folder for place in needed if (manifest := store.find(*place)) is not None}
    folders |= {root / folder for version in versions(pushed_folder(root)) for folder in _compared(version)}
    for component in (component.name for component in dag.COMPONENTS):
        for home in tree.homes(component):
            if (component, home.name) not in needed and home not in {folder.parent for folder in folders}:
                whole = tree.is_whole(home)
                if whole or tree.last_written(home) < idle_since:
                    yield Garbage(home, "artifact" if whole else "unfinished work", tree.byte_count(home))
            else:
                attempts = (attempt for attempt in tree.attempts(home) if attempt not in folders)
                idle = (attempt for attempt in attempts if tree.last_written(attempt) < idle_since)
                yield from (Garbage(attempt, "attempt", tree.byte_count(attempt)) for attempt in idle)
    for unfinished in open_registry(root, store.url).unfinished(idle_since):
        yield Garbage(version_folder(root, unfinished.number), UNFINISHED_VERSION, unfinished.byte_count)
    yield from _copies(store, needed, idle_since + time.time() - tree.seconds_now)


def _copies(store: Store, needed: set[tuple[str, str]], idle_since: float) -> Iterator[Garbage]:
    """Yields this machine's copies of data in a bucket."""
    here = Tree(store.root)
    kept = [store.path(place) for key in needed if (manifest := store.find(*key)) for place in manifest.places.values()]
    for copy in unused_copies(store.root, kept, idle_since):
        if here.last_written(copy) < idle_since:
            yield Garbage(copy, "copy of a bucket", here.byte_count(copy))


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
        return _clean(parser, options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {options.pipeline_root}: {error}", file=sys.stderr)
        return ExitCode.FAILED


def _clean(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    place = options.pipeline_root
    store = open_store(place) if is_remote(place) else Store(local_root(place))
    if not store.url and not store.root.is_dir():
        parser.error(f"--pipeline_root {place}: there is no such folder.")
    store.fetch_shared("")
    if not has_begun(store.root):
        parser.error(f"--pipeline_root {place}: no run has begun here. Name the folder that runs write to.")
    now = open_tree(store).seconds_now
    idle_since = now - 3600 * options.idle_hours
    heard_since = min(idle_since, now - SILENCE_SECONDS)
    with removing(store.root) as alone:
        if options.yes and (reason := "a run is at work here" if not alone else _at_work_elsewhere(store, heard_since)):
            print(f"error: {reason}. Nothing is removed beside it; try again later.", file=sys.stderr)
            return ExitCode.FAILED
        _remove(list(find_garbage(store, options.runs, idle_since)), store, options.yes)
    return ExitCode.DONE


def _at_work_elsewhere(store: Store, heard_since: float) -> str:
    """Returns which run may be at work on another machine, as far as its files tell; an empty string if none may.

    They were fetched, with the times of the storage: that machine's clock may differ.
    """
    for record in run_records(store.root) if store.url else ():
        is_open = record.state == "running" and record.host != socket.gethostname()
        if is_open and last_heard(RunFolder(store.root, record.run_id)) >= heard_since:
            where, limit = record.host or "another machine", "less than an hour, or --idle_hours, ago"
            return f"run {record.run_id} on {where} has not ended, and has written {limit}"
    return ""


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.gc",
        description="Lists attempts and artifacts that none of the newest runs needs, and removes them with --yes. "
        "Published versions and run records are never removed here: push.keep and pins decide about versions. The "
        "images, statistics and evaluation of a published version stay too: reports compare new runs with them.",
    )
    add = parser.add_argument
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://")
    add("--runs", type=int, default=10, metavar="N", help="keeps what the newest N runs need (default: 10)")
    add("--idle_hours", type=float, default=24.0, metavar="H", help="keeps attempts younger than H hours (default: 24)")
    add("--yes", action="store_true", help="removes what is listed")
    return parser


def _remove(garbage: Sequence[Garbage], store: Store, really: bool) -> None:
    root, tree, registry = store.root, open_tree(store), open_registry(store.root, store.url)
    for folder, what, byte_count in garbage:
        shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
        print(f"  {what:<18} {byte_count / MEGABYTE:8.1f} MB  {shown}")
        if really and what == UNFINISHED_VERSION:
            registry.remove_unfinished(int(folder.name))
        elif really:
            (tree if folder.is_relative_to(root) else Tree(root)).remove(folder)
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


if __name__ == "__main__":
    sys.exit(main())
