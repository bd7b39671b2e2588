from __future__ import annotations

from benchmarks.workers import Measured, table


def test_the_table_says_how_much_faster_two_workers_are() -> None:
    rows = [
        Measured("normalize", 1000, workers, seconds, rate)
        for workers, seconds, rate in (
            (1, 30.0, 40.0), (2, 20.0, 70.0), (1, 31.0, 41.0), (2, 99.0, 10.0), (1, 29.0, 39.0), (2, 19.0, 80.0)
        )
    ]  # fmt: skip
    assert table(rows).splitlines()[-1] == "| normalize | 1,000 | 30.0 | 20.0 | 1.50 | 40.0 | 70.0 | 1.75 |"
