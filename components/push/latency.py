"""Times the files of a staged version, one image at a time, and finds how much memory each takes.

A program imports TensorFlow while push still verifies the files, and waits to be told what to measure. From then on,
nothing else of push runs. Each file, at each number of threads, is measured in a child of its own, so that none profits
from what another one left in memory.

As a program: `python -m components.push.latency <results.json> <seconds>`, with the request, JSON in one line, on its
standard input.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from components import leave_onednn_to_tensorflow
from components.artifacts import Document
from components.component import ComponentError
from components.memory import peak_memory_bytes, used_memory_bytes
from components.push.measurement import Latency, Measurement, core_count
from components.push.program import Program, hasten_start, running
from components.push.runtimes import start_runtime, thread_counts

# A copy of a process in which Apple's frameworks were loaded is not safe: there, each child begins anew.
_CHILDREN = multiprocessing.get_context("spawn") if sys.platform == "darwin" else multiprocessing.get_context("fork")
WARM_UP_RUNS = 3  # beside the first answer: TensorFlow still optimizes its graph then
FEWEST_RUNS = 3
SECONDS = 1.0  # for the runs of one file at one number of threads


class Request(Document):
    """What is to be measured."""

    files: dict[str, Path]  # by their names in the card
    image_height: int
    image_width: int
    runs: int  # the most, of each file at each number of threads


class Measurements(Document):
    """The measurements of all files of a request."""

    by_file: dict[str, Measurement]


class Measuring:
    """The running program; the caller can do other work until it needs the measurements."""

    def __init__(self, program: Program, results: Path, max_start_seconds: float) -> None:
        self._program, self._results, self._max_start_seconds = program, results, max_start_seconds

    def measurements(self, request: Request) -> dict[str, Measurement]:
        """Returns the measurements by the files' names. To be called once, when nothing else runs.

        Raises ComponentError if a file does not run there, or not in time.
        """
        self._program.tell(request.model_dump_json())
        if not self._program.wait():
            return Measurements.model_validate_json(self._results.read_bytes()).by_file
        late = (
            f": it did not answer within {self._max_start_seconds:g} seconds (push.max_start_seconds)"
            if self._program.was_too_late
            else ""
        )
        raise ComponentError(
            f"A file could not be timed in a fresh process{late}. {self._program.last_line}. Nothing was published; "
            f"{self._program.log} says where it was. If the machine was only busy, run again; leave the variant out of "
            "push.variants, or set push.measured_runs to 0 to publish without times."
        )


@contextlib.contextmanager
def measuring(results: Path, log: Path, max_start_seconds: float) -> Iterator[Measuring]:
    """Starts the program, and ends it if the caller leaves early. It prints to `log`.

    It ends itself if a runtime takes longer than `max_start_seconds` to start, load a file and answer the first image,
    or takes as long for all runs that follow.
    """
    with running(__name__, (results, max_start_seconds), log) as program:
        yield Measuring(program, results, max_start_seconds)


def main(results: str, max_start_seconds: str) -> None:
    """Measures the files of the request, one after the other, and writes the measurements as JSON."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the times are those of the processor, on every machine
    leave_onednn_to_tensorflow()
    limit = float(max_start_seconds)
    if _CHILDREN.get_start_method() == "fork":
        faulthandler.dump_traceback_later(limit, exit=True)
        import tensorflow as tf  # noqa: F401 - the children have it then

        faulthandler.cancel_dump_traceback_later()
    if not (line := sys.stdin.readline()):
        return  # push was killed
    request = Request.model_validate_json(line)
    measurements = Measurements(by_file={name: _measured(name, request, limit) for name in request.files})
    Path(results).write_text(measurements.model_dump_json(), encoding="utf-8")


def _measured(name: str, request: Request, max_start_seconds: float) -> Measurement:
    """Returns the measurement at 1 thread, with the latencies at all numbers of threads."""
    counts = thread_counts(request.files[name], core_count())
    first, *others = (_in_child(name, threads, request, max_start_seconds) for threads in counts)
    return first.model_copy(update={"latency": sum((other.latency for other in others), first.latency)})


def _in_child(name: str, threads: int | None, request: Request, max_start_seconds: float) -> Measurement:
    receiver, sender = _CHILDREN.Pipe(duplex=False)
    arguments = request.files[name], threads, request, max_start_seconds, sender
    child = _CHILDREN.Process(target=_measure_here, args=arguments)
    child.start()
    sender.close()  # the child's end stays open: without it, the next line ends when the child does
    try:
        measurement = Measurement.model_validate_json(receiver.recv())
    except EOFError:
        child.join()
        sys.exit(f"{name}, threads: {threads or 'any'}, ended its process with exit code {child.exitcode}")
    child.join()
    return measurement


def _measure_here(
    file: Path, threads: int | None, request: Request, max_start_seconds: float, sender: Connection
) -> None:
    """Sends the measurement of a file at one number of threads, as JSON. A process may call it once."""
    faulthandler.dump_traceback_later(max_start_seconds, exit=True)  # also if the runtime itself hangs
    shape = (1, request.image_height, request.image_width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    runtime = start_runtime(file, threads)
    memory, started = used_memory_bytes(), time.perf_counter()
    answer = runtime.load(file)
    answer(pixels)
    start = time.perf_counter() - started
    faulthandler.dump_traceback_later(max_start_seconds, exit=True)
    for _ in range(WARM_UP_RUNS):
        answer(pixels)
    gc.disable()
    processor_started = time.process_time()
    seconds = time_runs(lambda: answer(pixels), request.runs)
    processor_seconds = time.process_time() - processor_started
    measurement = Measurement(
        runtime=runtime.name,
        start_milliseconds=round(1000 * start, 3),
        memory_bytes=max(peak_memory_bytes() - memory, 0),
        latency=(latency(seconds, processor_seconds, threads),),
    )
    faulthandler.cancel_dump_traceback_later()
    sender.send(measurement.model_dump_json())


def time_runs(run: Callable[[], object], most: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Returns the seconds of each of `most` runs, or of those that begin within a second if these are fewer.

    At least three run, unless `most` is less.
    """
    begun, seconds = clock(), list[float]()
    while len(seconds) < most:
        before = clock()
        if before - begun >= SECONDS and len(seconds) >= FEWEST_RUNS:
            break
        run()
        seconds.append(clock() - before)
    return seconds


def latency(seconds: list[float], processor_seconds: float, threads: int | None) -> Latency:
    """Returns the median and the 95th percentile of the runs' seconds. `processor_seconds` are those of all runs."""
    median, p95 = np.percentile(seconds, (50, 95)) * 1000
    return Latency(
        threads=threads,
        median_milliseconds=round(float(median), 3),
        p95_milliseconds=round(float(p95), 3),
        processor_milliseconds=round(1000 * processor_seconds / len(seconds), 3),
        runs=len(seconds),
    )


if __name__ == "__main__":
    hasten_start()
    main(*sys.argv[1:])
    gc.freeze()  # the exit would look for it among all that TensorFlow holds
