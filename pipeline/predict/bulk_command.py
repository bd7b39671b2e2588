"""Classifies all photos of a place on a Beam runner: plans the shards, runs those that are not done, tells how it went.

No shard that is done is done again, and none is counted on: what is in the folder of rows is compared with the plan at
the start and at the end. So a command that was killed, or that ran beside another one, leaves one row a photo once the
same command has ended.
"""

from __future__ import annotations

import itertools
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from components.component import ComponentError
from components.object_storage import configure
from components.thread_map import map_in_order
from pipeline.errors import UsageError
from pipeline.orchestrator.same_code import code_by_file
from pipeline.predict.photo_source import Listed, Source, open_source
from pipeline.predict.progress import Progress, count
from pipeline.predict.published import PublishedVersion, open_published
from pipeline.predict.rows_folder import RowsFolder, open_rows
from pipeline.predict.served import LoadingError
from pipeline.predict.shards import Shard, cut
from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.option_names import check_names
from pipeline.text import short_path

_THREADS = 8  # that write names and read rows, which takes a moment each where they lie in object storage


def predict_all(options: Namespace, beam_args: Sequence[str], out: TextIO) -> None:
    """Writes a row for each photo of `options.input` to `options.output`, and says where they are.

    Raises UsageError before anything is computed, LoadingError, ComponentError or whatever the runner raises.
    """
    started = time.monotonic()
    configure(beam_args)
    check_names(options.runner, beam_args)
    version = open_published(options.pipeline_root, options.version)
    source = _open(options.input, version.root)
    rows = open_rows(options.output, source.place)
    progress = Progress(out)
    try:
        new, errors, total = _work(source, rows, version, options.runner, beam_args, progress)
    finally:
        progress.clear()
    seconds = time.monotonic() - started
    work = f"; {new:,} in {seconds:.1f} s ({new / seconds:.1f} a second)" if new else ""
    progress.line(
        f"version {version.number}: {total:,} photos, {errors:,} of them without a prediction{work}. The rows are in "
        f"{_shown(rows.place)}"
    )
    if not version.is_there:
        progress.line(f"version {version.number} was withdrawn or removed meanwhile")


def _open(place: str, root: str) -> Source:
    try:
        return open_source(place, root)
    except OSError as error:
        raise _unreachable(place, error) from error


def _unreachable(place: str, error: OSError) -> LoadingError:
    return LoadingError(f"--input={place}: {error}")


def _work(
    source: Source,
    rows: RowsFolder,
    version: PublishedVersion,
    runner: str,
    beam_args: Sequence[str],
    progress: Progress,
) -> tuple[int, int, int]:
    """Makes the rows that are missing. Returns the numbers of photos: predicted now, without a prediction, and all."""
    plan = _plan(source, rows, version, progress)
    done = _settle(rows, plan)
    progress.line(f"{sum(plan.values()):,} photos, {count(plan, done):,} of them predicted before")
    missing = [digest for digest in plan if digest not in done]
    if missing:
        from pipeline.predict.bulk import Job, build
        from pipeline.predict.watched_run import run_watched

        elsewhere = runner != DIRECT_RUNNER  # where workers may have code of their own
        job = Job(source, rows, version, tuple(beam_args), code_by_file(Job.__module__) if elsewhere else {})
        run_watched(
            lambda pipeline: build(pipeline, job, missing),
            runner,
            beam_args,
            lambda: progress.show(plan, rows, done),
        )
    return count(plan, missing), _finish(rows, plan), sum(plan.values())


def _plan(source: Source, rows: RowsFolder, version: PublishedVersion, progress: Progress) -> dict[str, int]:
    """Returns the number of photos of each shard, by digest. Leaves their names for the workers where rows are missing.

    Raises UsageError if there are no photos, or other rows in the folder, and LoadingError if storage gives no photos.
    """
    photos = _photos_of(source)
    try:
        rows.claim({"input": source.place, "version": version.number, "version_digest": version.digest})
    except OSError as error:
        raise UsageError(
            f"--output={rows.place} cannot be written: {error.strerror or error}. Name another."
        ) from error
    done = rows.done()

    def leave(shard: Shard) -> tuple[str, int]:
        if shard.digest not in done:
            rows.write_names(shard.digest, shard.names)
        return shard.digest, len(shard.names)

    plan: dict[str, int] = {}
    for shard_digest, in_shard in map_in_order(leave, cut(photos, version.digest), _THREADS):
        plan[shard_digest] = in_shard
        progress.listed(in_shard)
    return plan


def _photos_of(source: Source) -> Iterator[Listed]:
    photos = source.photos()
    try:
        first = next(photos, None)
    except ComponentError as error:
        raise UsageError(f"--input={source.place}: {error}.") from error
    except OSError as error:
        raise _unreachable(source.place, error) from error
    if first is None:
        raise UsageError(f"--input={source.place}: there are no photos in it.")
    return itertools.chain([first], photos)


def _settle(rows: RowsFolder, plan: Mapping[str, int]) -> set[str]:
    """Removes the rows of photos that are no longer as they were. Returns the shards of the plan that are done."""
    done = rows.done()
    rows.remove(done - plan.keys())
    return done & plan.keys()


def _finish(rows: RowsFolder, plan: Mapping[str, int]) -> int:
    """Returns the number of photos without a prediction, after making sure that each has one row."""
    done = _settle(rows, plan)
    errors = dict(zip(plan, map_in_order(rows.count_errors, plan, _THREADS), strict=True))
    rows.remove(damaged := [digest for digest in done if errors[digest] is None])
    missing = len(plan) - len(done) + len(damaged)
    if missing:
        raise ComponentError(
            f"The rows of {missing} of {len(plan)} shards are missing or damaged in {rows.place}: has something else "
            "worked there?"
        )
    rows.remove_names()
    return sum(count or 0 for count in errors.values())


def _shown(place: str) -> str:
    return place if "://" in place else str(short_path(Path(place)))
