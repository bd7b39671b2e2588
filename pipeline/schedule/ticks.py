"""The ticks of a schedule: each starts a run in a process of its own, unless there is a reason to wait."""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.orchestrator.root_lock import removing
from pipeline.orchestrator.run_record import run_records
from pipeline.schedule.backoff import Backoff
from pipeline.schedule.hooks import Event, tell


class Ticks:
    """The runs of a schedule, one after another. Each is a new process: it sees new code and frees its memory."""

    def __init__(
        self,
        root: Path,
        run_arguments: Sequence[str],
        hooks: Mapping[Event, str],
        backoff: Backoff,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._command = [sys.executable, "-m", "pipeline.run", "--output=json", *run_arguments]
        self._hooks = hooks
        self._backoff = backoff
        self._clock = clock
        self._child: subprocess.Popen[str] | None = None
        self._stopping = False
        self._one_at_a_time = threading.Lock()
        self.count = 0

    def tick(self, why: str) -> bool:
        """Runs the pipeline, prints how it ended, and tells the hooks. Returns whether a run ended without failure."""
        if not self._one_at_a_time.acquire(blocking=False):
            self.say(f"{why}: skipped, {self.reason_to_wait() or 'the tick before is not over'}")
            return False
        try:
            return not self._stopping and self._tick(why)
        finally:
            self._one_at_a_time.release()

    def _tick(self, why: str) -> bool:
        if reason := self.reason_to_wait():
            self.count += 1
            self.say(f"{why}: skipped, {reason}")
            return False
        report = self._run()
        self.count += 1
        failed = report["status"] in ("failed", "usage error")
        if report["status"] != "interrupted":
            self._backoff.note(failed, self._clock())
        self.say(f"{why}: {_words(report)}")
        if problem := tell(self._hooks, report):
            self.say(problem)
        return not failed and report["status"] != "interrupted"

    @property
    def stopping(self) -> bool:
        """True once `stop` was called."""
        return self._stopping

    def stop(self) -> None:
        """Makes the current run end after its current component, and starts no other."""
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self.say("stopping after the component that is at work")
            self._child.send_signal(signal.SIGTERM)

    def reason_to_wait(self) -> str:
        """Returns why a tick would run nothing now, or an empty string if it would run."""
        if self._clock() < self._backoff.until:
            when = datetime.datetime.fromtimestamp(self._backoff.until).strftime("%H:%M:%S")
            return f"after {self._backoff.failures} failure(s) nothing runs before {when}"
        running = [record.run_id for record in run_records(self._root) if record.state == "running"]
        if running and self._somebody_is_at_work():
            return f"run {running[-1]} is at work"
        return "a run is being started" if self._child is not None and self._child.poll() is None else ""

    def _somebody_is_at_work(self) -> bool:
        """Returns whether a run holds the lock: the record of a killed run still says that it is running."""
        with removing(self._root) as nobody:
            return not nobody

    def _run(self) -> dict[str, Any]:
        started = self._clock()
        # A session of its own: Ctrl-C then reaches only the schedule, which lets the run end after a component.
        self._child = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        if self._stopping:  # `stop` was called while the process was being started
            self._child.send_signal(signal.SIGTERM)
        out, _ = self._child.communicate()
        lines = out.splitlines()
        if lines and lines[-1].startswith("{"):
            return json.loads(lines[-1])
        reason = f"the run's process ended with exit code {self._child.returncode}"
        status = "interrupted" if self._stopping else "failed"
        return {"run_id": "", "status": status, "seconds": self._clock() - started, "reasons": [reason]}

    def say(self, text: str) -> None:
        """Prints a line with the time."""
        print(f"{datetime.datetime.fromtimestamp(self._clock()):%Y-%m-%d %H:%M:%S}  {text}", flush=True)


def _words(report: dict[str, Any]) -> str:
    """Returns `pushed version 3, accuracy 0.812 (run 20261124-030000-4f2a, 178.2 s)`."""
    words = report["status"]
    if report.get("pushed") and report["status"] == "pushed":
        words += f" version {report['pushed']['version']}"
    if accuracy := report.get("metrics", {}).get("accuracy"):
        words += f", accuracy {accuracy:.4g}"
    if report["status"] != "nothing to do" and report.get("reasons"):
        words += f": {' '.join(report['reasons'])}"
    run = f"run {report['run_id']}, " if report["run_id"] else ""
    return f"{words} ({run}{report.get('seconds', 0.0):.1f} s)"
