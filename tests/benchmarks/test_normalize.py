from __future__ import annotations

from pathlib import Path

from benchmarks.normalize import Measured, measure, prepare, table


def test_the_table_divides_by_the_decoder_of_the_same_images() -> None:
    rows = [
        Measured(32, "decoder", 6000, 0.1, 0.02),
        Measured(32, "scan", 6000, 0.2, 0.21),
        Measured(224, "decoder", 10, 0.2, 0.4),
        Measured(224, "scan", 10, 0.5, 1.0),
    ]
    assert table(rows).splitlines()[2:] == [
        "| 32 | decoder | 6,000 | 0.10 | 0.02 | 1.0 |",
        "| 32 | scan | 6,000 | 0.20 | 0.21 | 10.5 |",
        "| 224 | decoder | 10 | 0.20 | 0.40 | 1.0 |",
        "| 224 | scan | 10 | 0.50 | 1.00 | 2.5 |",
    ]


def test_each_way_goes_through_all_images(tmp_path: Path) -> None:
    rows = measure(224, prepare(224, 100, tmp_path), rounds=1)
    assert [(row.side_pixels, row.what, row.images) for row in rows] == [
        (224, "decoder", 100),
        (224, "read", 100),
        (224, "scan", 100),
    ]
    assert all(row.cpu_milliseconds > 0 for row in rows)
