"""Runs a Beam pipeline in a thread, so that the command's own thread can show progress and hear Ctrl-C."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

import apache_beam as beam
import grpc

from components.component import ComponentError
from pipeline.predict import WORK_THREAD
from pipeline.runners.beam_options import make_options
from pipeline.runners.cluster_check import check_engine
from pipeline.runners.runner import make_pipeline

_LOOKING_SECONDS = 0.5
_ENDING_SECONDS = 5.0  # in which a run that fails, because a worker process was killed, may say so itself
_KILLED = "Worker subprocess exited"  # as Beam says it in the thread that waits for the process


def run_watched(
    build: Callable[[beam.Pipeline], None], runner: str, beam_args: Sequence[str], show: Callable[[], None]
) -> None:
    """Runs the pipeline that `build` makes to its end, and calls `show` meanwhile. Raises what the runner raises.

    Raises UsageError if it cannot begin, ConnectionError if the job server stops answering, and ComponentError if a
    worker process of this machine was killed: Beam's local runner would wait for ever. The thread is left behind then,
    as after Ctrl-C, which cancels the job of an engine.
    """
    options = make_options(runner, beam_args)
    check_engine(runner, options)
    raised: list[BaseException] = []
    pipeline = make_pipeline(runner, options)

    def work() -> None:
        try:
            with pipeline:
                build(pipeline)
        except BaseException as error:
            raised.append(error)

    killed = _listen_for_killed()
    thread = threading.Thread(target=work, name=WORK_THREAD, daemon=True)
    thread.start()
    try:
        _watch(thread, show, killed)
    except KeyboardInterrupt:
        _cancel(pipeline)
        raise
    if raised and isinstance(raised[0], grpc.RpcError):
        raise ConnectionError(f"The job server of {runner} stopped answering.") from raised[0]
    if raised:
        raise raised[0]


def _watch(thread: threading.Thread, show: Callable[[], None], killed: threading.Event) -> None:
    while thread.is_alive():
        thread.join(_LOOKING_SECONDS)
        show()
        if killed.is_set():
            _end_with_reason(thread)


def _cancel(pipeline: beam.Pipeline) -> None:
    """Ends the job of an engine, which would go on by itself. Beam's local runner has none to end."""
    if (result := getattr(pipeline, "result", None)) is not None:
        with contextlib.suppress(Exception):  # whatever it answers, the command ends
            result.cancel()


def _end_with_reason(thread: threading.Thread) -> None:
    thread.join(_ENDING_SECONDS)
    if thread.is_alive():
        raise ComponentError(
            "A worker process was killed. If memory was full, use fewer processes (--direct_num_workers)."
        )


def _listen_for_killed() -> threading.Event:
    """Returns an event that is set when a worker process of this machine ends with an error."""
    killed, ordinary = threading.Event(), threading.excepthook

    def hook(error: threading.ExceptHookArgs) -> None:
        if _KILLED in str(error.exc_value):
            killed.set()
        ordinary(error)

    threading.excepthook = hook
    return killed
