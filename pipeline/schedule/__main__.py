"""`python -m pipeline.schedule`: runs the pipeline repeatedly, at set times or when the images change."""

from __future__ import annotations

import argparse
import datetime
import fcntl
import functools
import logging
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.component import ComponentError
from components.object_storage import configure, is_remote
from pipeline import dag
from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config
from pipeline.errors import ExitCode, UsageError, unwritable
from pipeline.orchestrator.killed import was_killed
from pipeline.orchestrator.run_record import run_records
from pipeline.schedule.backoff import Backoff
from pipeline.schedule.change import ChangeWatch
from pipeline.schedule.cron import Cron, find_zone, parse_cron
from pipeline.schedule.emit import DEFAULT_IMAGE, SCHEDULERS, emit
from pipeline.schedule.hooks import Event
from pipeline.schedule.ticks import Ticks
from pipeline.store.opening import DEFAULT_ROOT, fetch_root, local_root
from pipeline.text import print_any_text

if TYPE_CHECKING:
    from apscheduler.schedulers.blocking import BlockingScheduler
    from apscheduler.triggers.base import BaseTrigger

OTHER = ("--cron", "--emit", "--config", "--set", "--pipeline_root")  # options that --emit passes on to every scheduler
MISSED_GRACE_SECONDS = 30  # a tick that is late by less was not missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the schedule until it is told to stop, or prints it for another scheduler. Returns the exit code."""
    print_any_text()
    options, run_arguments = make_parser().parse_known_args(arguments)
    try:
        cron = parse_cron(options.cron) if options.cron else None
        if options.timezone is not None:
            find_zone(options.timezone)  # refuses it before --emit passes it on
        if options.emit:
            if cron is None:
                raise UsageError("--emit needs --cron: it is what the other scheduler is told.")
            print(emit(options.emit, cron, _asked(options), _run_arguments(options, run_arguments)))
            return ExitCode.DONE
        if cron is None and not options.on_change:
            raise UsageError("Nothing says when to run: give --cron, --on_change, or both.")
        configure(run_arguments)  # the root, and what --on_change looks at, may be in object storage
        root = _root(options.pipeline_root)
        with _alone(root):
            return _schedule(options, cron, root, _run_arguments(options, run_arguments))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {options.pipeline_root}: {error}", file=sys.stderr)
        return ExitCode.FAILED


def _root(place: str) -> Path:
    """Returns the root's folder on this machine; of one in object storage the copy, with the records of all runs."""
    return fetch_root(place) if is_remote(place) else local_root(place)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.schedule",
        description="Runs the pipeline at set times, or when the images change. Each run does only what changed.",
        epilog="Every other option is passed to `python -m pipeline.run` unchanged. SIGTERM ends the schedule after "
        "the current component; the next start goes on from there.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--cron", metavar="EXPR", help='runs at these times: "0 3 * * *" is every night at three')
    add("--timezone", help="the time zone of --cron, such as Europe/Paris (default: this machine's)")
    add("--jitter_seconds", type=int, default=0, help="delays each tick by a random time up to this")
    add("--missed", choices=("once", "never"), help="whether to make up for missed ticks (default: once)")
    add("--on_change", action="store_true", help="runs at the start and when the source of the images changes")
    add("--poll_seconds", type=float, default=30.0, help="how often --on_change looks for changes")
    add("--still_seconds", type=float, default=60.0, help="how long the source must be unchanged")
    add("--backoff_seconds", type=float, default=60.0, help="the pause after a failure; doubles with each one in a row")
    add("--longest_backoff_seconds", type=float, default=6 * 3600.0, help="the longest of these waits")
    add("--on_success", metavar="HOOK", default="", help="a command or a URL that gets the run's report as JSON")
    add("--on_failure", metavar="HOOK", default="", help="the same, after a run that failed")
    add("--on_not_blessed", metavar="HOOK", default="", help="the same, after a model that did not pass the gate")
    add("--ticks", type=int, metavar="N", help="ends after N ticks")
    add("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="the pipeline's config")
    add("--set", action="append", default=[], metavar="A.B=C", help="changes one config value; may be repeated")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://")
    add("--emit", choices=SCHEDULERS, help="prints this schedule for another scheduler, and ends")
    add("--image", default=DEFAULT_IMAGE, help="the image that --emit kubernetes names; see docs/how-to/dataflow.md")
    return parser


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the options of this schedule that were given, by name as typed, except those in OTHER."""
    given = {action.dest: action for action in make_parser()._actions if action.option_strings[0] not in OTHER}
    changed = {dest: value for dest, value in vars(options).items() if dest in given and value != given[dest].default}
    return {given[dest].option_strings[0]: value for dest, value in changed.items()}


def _run_arguments(options: argparse.Namespace, others: Sequence[str]) -> list[str]:
    settings = [word for setting in options.set for word in ("--set", setting)]
    return [f"--config={options.config}", f"--pipeline_root={options.pipeline_root}", *settings, *others]


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Holds the root's lock, because two schedules of one root would run everything twice. Raises UsageError."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "schedule.lock").open("a")
    except OSError as error:
        raise unwritable(root, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"Another schedule is at work in {root}. Stop it first.") from error
        yield


def _schedule(options: argparse.Namespace, cron: Cron | None, root: Path, run_arguments: list[str]) -> int:
    from apscheduler.schedulers.blocking import BlockingScheduler

    # At each look it would warn that the run which an earlier look began is still going on.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    config = load_config(options.config, options.set)
    hooks: dict[Event, str] = {
        "success": options.on_success,
        "failure": options.on_failure,
        "not_blessed": options.on_not_blessed,
    }
    backoff = Backoff(options.backoff_seconds, options.longest_backoff_seconds)
    ticks = Ticks(root, run_arguments, hooks, backoff)
    # Its own zone is of no account, and this machine's may not be known: --cron brings the one that counts.
    scheduler = BlockingScheduler(timezone=datetime.timezone.utc, job_defaults={"coalesce": True, "max_instances": 1})
    end = functools.partial(_end, scheduler, ticks)
    grace_seconds = MISSED_GRACE_SECONDS if options.missed == "never" else None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end())

    def tick(why: str) -> bool:
        ended_well = ticks.tick(why)
        if options.ticks is not None and ticks.count >= options.ticks:
            end()
        return ended_well

    if cron is not None:
        trigger = cron.trigger(options.timezone, options.jitter_seconds)
        # Two instances, because the second reports that the first is still at work.
        scheduler.add_job(tick, trigger, ("scheduled",), misfire_grace_time=grace_seconds, max_instances=2)
        print(f"scheduled by {shlex.quote(str(cron))}, in {root}", flush=True)
        if why := due_at_start(root, trigger, options.missed != "never"):
            scheduler.add_job(tick, args=(why,))
    if options.on_change:
        watch = ChangeWatch(_fingerprint(config, root), options.still_seconds)
        look = functools.partial(_look, watch, ticks, tick)
        scheduler.add_job(look, "interval", seconds=options.poll_seconds, misfire_grace_time=None)
        print(f"watching {config.ingest.dataset}, in {root}", flush=True)
    scheduler.start()
    return ExitCode.DONE


def _fingerprint(config: PipelineConfig, root: Path) -> Callable[[], str | None]:
    """Returns the function that identifies the present images. Raises UsageError if they cannot be watched."""
    source = dag.COMPONENTS[0](config.ingest)
    try:
        source.fingerprint(root, {})
    except ComponentError as error:
        raise UsageError(str(error)) from error
    except OSError:
        pass  # `_look` says it
    return lambda: source.fingerprint(root, {})


def _look(watch: ChangeWatch, ticks: Ticks, tick: Callable[[str], bool]) -> None:
    """Runs the pipeline if the images have changed. A change that must wait is not lost: the next look sees it too."""
    try:
        settled = watch.settled(time.time())
    except OSError as error:  # storage that cannot be reached now may be reached at the next look
        ticks.say(f"the images cannot be looked at: {error}")
        return
    if settled and not ticks.reason_to_wait() and tick("changed"):
        watch.handled()


def _end(scheduler: BlockingScheduler, ticks: Ticks) -> None:
    """Ends the schedule, from a new thread, because that waits for jobs and a job may call this. Works only once."""
    if not ticks.stopping:
        ticks.stop()
        threading.Thread(target=_shut_down, args=(scheduler,), name="end", daemon=True).start()


def _shut_down(scheduler: BlockingScheduler) -> None:
    while not scheduler.running:  # it was told to end before it began
        time.sleep(0.05)
    scheduler.shutdown()


def due_at_start(root: Path, trigger: BaseTrigger, make_up: bool) -> str:
    """Returns why a tick is due at once (a run did not end, or a tick was missed meanwhile), or an empty string."""
    last = max(run_records(root), key=lambda record: record.started, default=None)
    if last is None:
        return ""
    if last.state == "interrupted" or was_killed(root, last):
        return f"going on after run {last.run_id}"
    due = trigger.get_next_fire_time(None, datetime.datetime.fromisoformat(last.started))
    was_missed = due is not None and due < datetime.datetime.now(datetime.timezone.utc)
    return "missed" if make_up and was_missed else ""


if __name__ == "__main__":
    sys.exit(main())
