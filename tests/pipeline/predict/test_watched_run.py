from __future__ import annotations

import threading

import apache_beam as beam
import pytest

from pipeline.errors import UsageError
from pipeline.predict.watched_run import run_watched


def test_the_pipeline_runs_in_a_thread_while_the_command_watches() -> None:
    ran, shown = [], []

    def build(pipeline: beam.Pipeline) -> None:
        ran.append(threading.current_thread())
        pipeline | beam.Create([1]) | beam.Map(lambda number: number)

    run_watched(build, "DirectRunner", (), lambda: shown.append(threading.current_thread()))
    assert ran[0] is not threading.current_thread()
    assert set(shown) == {threading.current_thread()}


def test_what_a_worker_raises_is_raised() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        pipeline | beam.Create([0]) | beam.Map(lambda number: 1 // number)

    with pytest.raises(Exception, match="division or modulo by zero"):
        run_watched(build, "DirectRunner", (), lambda: None)


def test_options_that_nobody_reads_are_refused_before_it_begins() -> None:
    with pytest.raises(UsageError, match=r"--direct_num_wrkers: neither this command nor Beam's DirectRunner"):
        run_watched(lambda pipeline: pytest.fail("it began"), "DirectRunner", ("--direct_num_wrkers=2",), lambda: None)
