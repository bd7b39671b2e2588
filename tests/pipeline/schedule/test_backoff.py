from __future__ import annotations

from pipeline.schedule.backoff import Backoff


def test_the_wait_doubles_up_to_a_bound_and_is_forgotten_after_success() -> None:
    backoff = Backoff(first_seconds=10, longest_seconds=35)
    waits = []
    for _ in range(4):
        backoff.note(failed=True, now=100)
        waits.append(backoff.until - 100)
    assert waits == [10, 20, 35, 35]
    backoff.note(failed=False, now=100)
    assert (backoff.failures, backoff.until) == (0, 100)
    backoff.note(failed=True, now=100)
    assert backoff.until == 110
