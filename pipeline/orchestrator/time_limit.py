"""Ends a component that takes longer than its config allows, or whose worker process was killed.

Python cannot end a thread that hangs, so that the process has to end. Where the runner works in the command's own
process or in its children, the command waits for the runner no longer: `run_limited`. A worker process elsewhere ends
itself, as `start_countdown` says, and its engine retries what the worker was doing or fails the job.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import threading
import time
from collections.abc import Callable, Mapping

from components.component import ComponentError
from pipeline.errors import Stopped
from pipeline.orchestrator.killed import killed_worker
from pipeline.orchestrator.run_record import NodeRecord, RunFolder

LOOKING_SECONDS = 0.5
ENDING_SECONDS = 5.0
PATIENCE_SECONDS = 1.0  # in which worker processes of this machine end themselves, and log what they were doing
EXIT_CODE = 1
_THREAD = "limited work"
_countdowns: dict[str, threading.Timer] = {}  # by component; a process works on one run


class TimeLimitError(ComponentError):
    """A component that took longer than its limit. `minutes` is the limit."""

    def __init__(self, component: str, minutes: float) -> None:
        super().__init__(
            f"{component} took longer than {component}.time_limit_minutes ({minutes:g}) and was ended. The log shows "
            "what it was doing. If it was only slow, raise the limit."
        )


def run_limited(
    work: Callable[[], None], run: RunFolder, minutes: Mapping[str, float], *, has_worker_processes: bool
) -> None:
    """Calls `work`, in a thread of its own if there is something to watch, and raises what it raises.

    Raises TimeLimitError as soon as a component has taken longer than its limit since its look-up, and ComponentError
    if a worker process was killed, for which Beam's local runner would wait for ever. The thread is then left behind
    (see `is_left_behind`), and may end at its next line of Python.

    Args:
        work: runs components in this process or in children of it, which write their states to `run`.
        run: the folder of the run.
        minutes: the limits, by component.
        has_worker_processes: whether children of this process do the work.
    """
    if not minutes and not has_worker_processes:
        return work()
    raised: list[BaseException] = []
    thread = threading.Thread(target=_catch, args=(work, raised), name=_THREAD, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOKING_SECONDS)
            _refuse_late(run, minutes, PATIENCE_SECONDS)
            if has_worker_processes and killed_worker(run):
                thread.join(ENDING_SECONDS)  # a run that fails ends its workers itself, and has its own reason
                if thread.is_alive() and (reason := killed_worker(run)):
                    raise ComponentError(reason)
    except BaseException:  # also Ctrl-C
        _ask_to_stop(thread)
        raise
    if raised:
        _refuse_late(run, minutes)  # a worker process that has ended itself is why
        raise raised[0]
    return None


def is_left_behind() -> bool:
    """Returns whether this process has a thread that works on components, and will not end by itself."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def start_countdown(node: NodeRecord, minutes: float, run: RunFolder, is_done: Callable[[], bool]) -> None:
    """Makes this process end when a node reaches its limit and is not done, in place of an earlier countdown for it.

    The node's record says "failed" then. Does nothing in a process where `run_limited` keeps watch.

    Args:
        node: the state of the component.
        minutes: its limit, from `node.started` on.
        run: the folder of the run.
        is_done: returns whether the artifact is there. It may raise OSError.
    """
    if is_left_behind():
        return
    stop_countdown(node.component)
    seconds = node.started + 60 * minutes - time.time()
    countdown = threading.Timer(max(seconds, 0), _end_process, (node, minutes, run, is_done))
    countdown.daemon = True
    countdown.start()
    _countdowns[node.component] = countdown


def stop_countdown(component: str) -> None:
    """Ends the countdown for the component, if there is one."""
    if (countdown := _countdowns.pop(component, None)) is not None:
        countdown.cancel()


def _end_process(node: NodeRecord, minutes: float, run: RunFolder, is_done: Callable[[], bool]) -> None:
    with contextlib.suppress(OSError):
        if is_done():
            return
    try:
        reason = str(TimeLimitError(node.component, minutes))
        _log_threads(run, reason)
        seconds = time.time() - node.started
        run.write_node(node.model_copy(update={"state": "failed", "seconds": seconds, "reason": reason}))
    finally:
        os._exit(EXIT_CODE)


def _catch(work: Callable[[], None], raised: list[BaseException]) -> None:
    try:
        work()
    except BaseException as error:
        raised.append(error)


def _refuse_late(run: RunFolder, minutes: Mapping[str, float], patience_seconds: float = 0.0) -> None:
    """Raises TimeLimitError for the first component that is late."""
    for component, limit in minutes.items():
        if _is_late(run.read_node(component), 60 * limit + patience_seconds):
            error = TimeLimitError(component, limit)
            _log_threads(run, str(error))
            raise error


def _is_late(node: NodeRecord, seconds: float) -> bool:
    # "failed": Beam's local runner waits for ever for a worker process that has ended itself.
    return node.state in ("running", "failed") and time.time() - node.started > seconds


def _log_threads(run: RunFolder, reason: str) -> None:
    """Appends to the run's log what each thread of this process is doing."""
    run.append_log(f"{reason} What each thread was doing, the innermost call first:")
    with run.log.open("a", encoding="utf-8") as log:
        faulthandler.dump_traceback(log, all_threads=True)


def _ask_to_stop(thread: threading.Thread) -> None:
    """Raises Stopped in the thread, which notices when it next runs a line of Python."""
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped))
