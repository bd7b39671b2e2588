"""Calls a function for many items in threads, some items ahead of whoever takes the results."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 0, ahead: int = 0
) -> Iterator[Result]:
    """Yields function(item) in the order of the items, computed ahead of time.

    Args:
        function: is called in threads; the first error that it raises ends all.
        items: are taken one by one, as they are needed.
        threads: how many work; 0: one a core.
        ahead: how many results may wait to be taken; 0: four for each thread.
    """
    workers = threads or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > (ahead or 4 * workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
