from __future__ import annotations

import time

from pipeline.orchestrator.elapsed import seconds_since, seen_here


def test_what_a_clock_that_is_ahead_began_has_taken_no_time_yet() -> None:
    assert seconds_since(time.time() + 3600) == 0
    assert 3600 <= seconds_since(time.time() - 3600) < 3700


def test_a_time_limit_counts_from_when_a_process_first_saw_the_work() -> None:
    began = time.time() - 7200  # by a clock that is two hours behind
    first = seen_here("key", began)
    assert time.time() - first < 60
    assert seen_here("key", began) == first
    assert seen_here("key", began + 1) >= first
