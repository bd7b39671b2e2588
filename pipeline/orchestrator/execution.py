"""The execution of one run, from its plan to its record. Beam is imported only if a component has to run."""

from __future__ import annotations

import atexit
import datetime
import gc
import json
import math
import os
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pipeline.config import PipelineConfig
from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.console import libraries_write_to, loggers_write_to, watching
from pipeline.orchestrator.elapsed import seconds_since
from pipeline.orchestrator.killed import record_killed
from pipeline.orchestrator.lost_interrupts import lost_interrupts_sent_again
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.root_lock import process_began
from pipeline.orchestrator.run_record import STOP, RunFolder, RunRecord
from pipeline.orchestrator.run_state import EXIT_CODES, final_nodes, final_state
from pipeline.orchestrator.run_summary import existing_page, print_outcome, report
from pipeline.orchestrator.time_limit import is_left_behind
from pipeline.orchestrator.worker_error import innermost, is_interrupt, is_within
from pipeline.text import short_path

# Python's default of 700 would look for garbage 2,000 times among the objects of TensorFlow's modules and graphs, which
# are none: a second and a half of the imports of a run.
GARBAGE_THRESHOLD_OBJECTS = 50_000
PATIENCE_SECONDS = 5.0  # after a Ctrl-C, while another one is ignored so that the run can end cleanly
CTRL_C = "Ctrl-C. The same command goes on from what is done."
SECRETS = ("--s3_access_key_id", "--s3_secret_access_key", "--s3_session_token")
# As --environment_config may have one for the workers.
CREDENTIAL = re.compile(r"""((?:secret|token|password|access_key)\w*["']?\s*[=:]\s*["']?)[^"'\s,}]+""", re.IGNORECASE)
SIGNING_KEY = re.compile(r"""(\bpush\b.*\bsigning_key["']?\s*[=:]).*""", re.DOTALL)  # as --set takes it


@dataclass(frozen=True)
class Execution:
    """A run that has a record. `work` runs its plan; `finish` records and prints its outcome."""

    config: PipelineConfig
    plan: Plan
    run: RunFolder
    record: RunRecord
    out: TextIO  # for people
    started: float  # seconds, as time.monotonic counts

    def work(self, run_graph: Callable[[], None]) -> str:
        """Runs what is not cached. Returns why it failed, or "". Raises UsageError if it cannot begin."""
        if self.plan.nothing_to_do:
            return ""
        try:
            return _run_graph(run_graph, self.plan, self.run, self.out)
        except UsageError as error:
            _end(self.record, self.plan, self.run, str(error), self.started)
            self.plan.store.upload(self.run.path)
            raise

    def finish(self, failure: str, write_page: Callable[[], Path] | None) -> tuple[RunRecord, Path | None]:
        """Returns the final record, and the path of the run's page if there is one."""
        record = _end(self.record, self.plan, self.run, failure, self.started)
        print_outcome(record, self.plan, self.run, failure, self.out)
        page = _page(record, self.plan, self.run, write_page, self.out) if write_page else None
        self.plan.store.upload(self.run.path)
        return record, page


def begin(config: PipelineConfig, plan: Plan, run_id: str, command: Sequence[str], out: TextIO) -> Execution:
    """Writes the record of a run that begins. Raises UsageError if the run cannot have this name, or no record."""
    run = RunFolder(plan.store.root, run_id)
    record = _new_record(run_id, config, command)
    for killed in record_killed(plan.store.root):
        print(f"run {killed.run_id} was {killed.reason}", file=out, flush=True)
        plan.store.upload(RunFolder(plan.store.root, killed.run_id).path)
    run.begin(record)
    plan.store.forget(run.path, "nodes", STOP)  # left by an earlier run of this name
    plan.store.upload(run.path)
    return Execution(config, plan, run, record, out, time.monotonic())


def execute(
    execution: Execution, run_graph: Callable[[], None], write_page: Callable[[], Path], *, as_json: bool
) -> ExitCode:
    """Runs the plan, prints its progress and outcome, and writes the run's record. Returns the exit code.

    Raises UsageError if the run cannot begin; its record says "failed" then. After Ctrl-C, and after a component
    was ended at its time limit, the process exits here instead of returning.

    Args:
        execution: the run that has begun.
        run_graph: runs what the plan says, to its end; whatever it raises is why the run failed.
        write_page: writes the run's page, and returns its path.
        as_json: whether stdout ends with one JSON object.
    """
    gc.set_threshold(GARBAGE_THRESHOLD_OBJECTS)
    ctrl_c = _listen(execution.run)
    failure = execution.work(run_graph)
    if ctrl_c.is_set():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        failure = CTRL_C
    record, page = execution.finish(failure, None if ctrl_c.is_set() else write_page)
    if as_json:
        print(json.dumps(report(record, execution.plan, failure, page)), flush=True)
    if ctrl_c.is_set() or is_left_behind():
        execution.out.flush()
        os._exit(EXIT_CODES[record.state])  # a normal exit would wait for threads that still work
    atexit.register(gc.freeze)  # saves two seconds: the exit would collect garbage among all that TensorFlow holds
    return EXIT_CODES[record.state]


def _listen(run: RunFolder) -> threading.Event:
    """Makes SIGTERM end the run after the current component, and Ctrl-C at once. Returns the event of Ctrl-C."""
    ctrl_c = threading.Event()
    heard = -math.inf

    def interrupt(*_: object) -> None:
        nonlocal heard
        if time.monotonic() - heard < PATIENCE_SECONDS:
            return
        heard = time.monotonic()
        ctrl_c.set()
        run.stop()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    signal.signal(signal.SIGINT, interrupt)
    return ctrl_c


def _new_record(run_id: str, config: PipelineConfig, command: Sequence[str]) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        state="running",
        command=tuple(os.fsencode(word).decode("utf-8", "backslashreplace") for word in without_secrets(command)),
        started=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        process=os.getpid(),
        process_began=process_began(os.getpid()),
        host=socket.gethostname(),
        config=config.recorded(),
    )


def _end(record: RunRecord, plan: Plan, run: RunFolder, failure: str, started: float) -> RunRecord:
    """Writes the run's final record and returns it."""
    nodes = final_nodes(plan, run, failure)
    state = "interrupted" if failure and run.stopping else final_state(nodes, failure, plan, run.run_id)
    ended = record.model_copy(update={"nodes": nodes, "state": state, "seconds": round(time.monotonic() - started, 3)})
    run.write(ended)
    return ended


def without_secrets(arguments: Sequence[str]) -> tuple[str, ...]:
    """Returns the command line with storage credentials, and the place of a signing key, replaced by "...".

    It is for a record that others may read.
    """
    words = [CREDENTIAL.sub(r"\1...", SIGNING_KEY.sub(r"\1...", word)) for word in arguments]
    for index, word in enumerate(words):
        option, equals, _ = word.partition("=")
        if option in SECRETS and equals:
            words[index] = f"{option}=..."
        elif option in SECRETS and index + 1 < len(words):
            words[index + 1] = "..."
    return tuple(words)


def _run_graph(run_graph: Callable[[], None], plan: Plan, run: RunFolder, out: TextIO) -> str:
    """Runs the graph. Returns why it failed, or an empty string. Raises UsageError if it cannot begin."""
    components = [step.component.name for step in plan.steps if step.state in ("run", "cached")]
    print(f"run {run.run_id}", file=out, flush=True)
    try:
        with (
            libraries_write_to(run.log, out) as terminal,
            watching(run, components, terminal),
            loggers_write_to(run.log),
            lost_interrupts_sent_again(PATIENCE_SECONDS + 0.5),
        ):
            run_graph()
    except UsageError as error:
        run.append_log(f"error: {error}")
        raise
    except (Exception, KeyboardInterrupt) as error:  # whatever is raised ends the run, with a reason
        run.append_log(traceback.format_exc())
        if is_interrupt(error):
            run.stop()
            return explain(KeyboardInterrupt())
        _note_failure(run, components, error)
        return innermost(error)
    return ""


def _note_failure(run: RunFolder, components: Sequence[str], error: BaseException) -> None:
    """Records the error as that of the component within which it was raised, where the runner says which it was.

    A worker cannot record what fails within its scan, and components that scan at the same time stop with it.
    """
    for node in map(run.read_node, components):
        if node.state == "running" and is_within(error, node.component):
            seconds = seconds_since(node.started)
            run.write_node(node.model_copy(update={"state": "failed", "seconds": seconds, "reason": innermost(error)}))


def _page(record: RunRecord, plan: Plan, run: RunFolder, write_page: Callable[[], Path], out: TextIO) -> Path | None:
    """Writes the run's page, or finds the existing one if nothing ran. Prints its path and returns it."""
    if not plan.nothing_to_do:
        return _write_page(write_page, run, out)
    page = existing_page(record, plan)
    if page is not None:
        print(f"report      {short_path(page)}", file=out)
    return page


def _write_page(write_page: Callable[[], Path], run: RunFolder, out: TextIO) -> Path | None:
    """Writes the page and returns its path. If that fails, prints why and returns None."""
    with libraries_write_to(run.log, out) as terminal:
        try:
            page = write_page()
            print(f"report      {short_path(page)}", file=terminal)
            return page
        except Exception as error:  # a report that cannot be written does not make the run fail
            run.append_log(traceback.format_exc())
            reason = explain(error).rstrip(".")
            print(f"report      none: {reason}. The traceback is in {short_path(run.log)}", file=terminal)
            return None
