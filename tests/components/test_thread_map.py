from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from components.thread_map import map_in_order


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(map_in_order(lambda number: number * number, range(300))) == [number**2 for number in range(300)]


def test_items_are_taken_only_a_few_ahead() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = map_in_order(str, items())
    assert next(results) == "1"
    assert taken < 1000


def test_the_work_is_done_in_threads_and_its_error_is_raised() -> None:
    here = threading.get_ident()
    assert here not in set(map_in_order(lambda _: threading.get_ident(), range(8)))
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda number: 1 // number, [1, 0]))


def test_as_many_wait_as_are_asked_for() -> None:
    done = threading.Semaphore(0)
    results = map_in_order(lambda _: done.release(), range(100), threads=2, ahead=50)
    next(results)
    assert all(done.acquire(timeout=60) for _ in range(51))  # of which one was taken, while nobody takes more
