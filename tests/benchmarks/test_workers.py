from __future__ import annotations

from benchmarks.scale import Measured
from benchmarks.workers import table


def test_the_table_says_how_much_faster_two_workers_are() -> None:
    rows = [
        Measured("normalize", 1000, workers, seconds, 900.0, 1000)
        for workers, seconds in ((1, 30.0), (2, 20.0), (1, 31.0), (2, 99.0), (1, 29.0), (2, 19.0))
    ]
    assert table(rows).splitlines()[-1] == "| normalize | 1,000 | 30.0 | 20.0 | 1.50 |"
