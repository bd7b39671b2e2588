"""One tick: a run in a process of its own, unless something speaks against it."""

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
    """Runs one after another. A process each: it sees new code, and leaves no memory behind."""

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
        """Runs the pipeline, says how it ended, tells the hooks. Whether it came to an end that is no failure."""
        if not self._one_at_a_time.acquire(blocking=False):
            self._say(f"{why}: skipped, {self.reason_to_wait() or 'the tick before is not over'}")
            return False
        try:
            return not self._stopping and self._tick(why)
        finally:
            self._one_at_a_time.release()

    def _tick(self, why: str) -> bool:
        if reason := self.reason_to_wait():
            self.count += 1
            self._say(f"{why}: skipped, {reason}")
            return False
        report = self._run()
        self.count += 1
        failed = report["status"] in ("failed", "usage error")
        if report["status"] != "interrupted":
            self._backoff.note(failed, self._clock())
        self._say(f"{why}: {_words(report)}")
        if problem := tell(self._hooks, report):
            self._say(problem)
        return not failed and report["status"] != "interrupted"

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def stop(self) -> None:
        """Lets the run that is going on end after the component that it is at; starts no other."""
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self._say("stopping after the component that is at work")
            self._child.send_signal(signal.SIGTERM)

    def reason_to_wait(self) -> str:
        """Why a tick would run nothing now; empty if it would."""
        if self._clock() < self._backoff.until:
            when = datetime.datetime.fromtimestamp(self._backoff.until).strftime("%H:%M:%S")
            return f"after {self._backoff.failures} failure(s) nothing runs before {when}"
        running = [record.run_id for record in run_records(self._root) if record.state == "running"]
        if running and self._somebody_is_at_work():
            return f"run {running[-1]} is at work"
        return "a run is being started" if self._child is not None and self._child.poll() is None else ""

    def _somebody_is_at_work(self) -> bool:
        """By the lock: the record of a run that was killed goes on saying that it is running."""
        with removing(self._root) as nobody:
            return not nobody

    def _run(self) -> dict[str, Any]:
        started = self._clock()
        # In a session of its own: Ctrl-C is for the schedule, which lets the run end after a component.
        self._child = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        if self._stopping:  # asked for while it was being started
            self._child.send_signal(signal.SIGTERM)
        out, _ = self._child.communicate()
        lines = out.splitlines()
        if lines and lines[-1].startswith("{"):
            return json.loads(lines[-1])
        reason = f"the run's process ended with exit code {self._child.returncode}"
        status = "interrupted" if self._stopping else "failed"
        return {"run_id": "", "status": status, "seconds": self._clock() - started, "reasons": [reason]}

    def _say(self, text: str) -> None:
        print(f"{datetime.datetime.fromtimestamp(self._clock()):%Y-%m-%d %H:%M:%S}  {text}", flush=True)


def _words(report: dict[str, Any]) -> str:
    """`pushed version 3, accuracy 0.812 (run 20261124-030000-4f2a, 178.2 s)`."""
    words = report["status"]
    if report.get("pushed") and report["status"] == "pushed":
        words += f" version {report['pushed']['version']}"
    if accuracy := report.get("metrics", {}).get("accuracy"):
        words += f", accuracy {accuracy:.4g}"
    if report["status"] != "nothing to do" and report.get("reasons"):
        words += f": {' '.join(report['reasons'])}"
    run = f"run {report['run_id']}, " if report["run_id"] else ""
    return f"{words} ({run}{report.get('seconds', 0.0):.1f} s)"
