from __future__ import annotations

from typing import Any

from benchmarks.published_files import lines

COMPARISON = {
    "images": 1000,
    "accuracy": 0.814,
    "accuracy_difference": -0.0021,
    "decided_accuracy_difference": 0.0,
    "agreement": 0.987,
    "max_probability_difference": 0.234,
}
LATENCY = {"median_milliseconds": 6.54, "p95_milliseconds": 7.01, "processor_milliseconds": 6.5}
MEASUREMENT = {
    "runtime": "LiteRT of TensorFlow 2.21.0",
    "start_milliseconds": 21.46,
    "memory_bytes": 9_400_000,
    "latency": [LATENCY],
}


def card(**measured: Any) -> dict[str, Any]:
    row = {"variant": "litert_int8", "bytes": 3_960_123, "comparison": COMPARISON}
    files = [row, {**row, "variant": "float16"}]
    files[0] |= {"measurement": measured.pop("measurement", None)}
    about = {"image_height": 224, "image_width": 224, "parameter_count": 3_362_810, "test_images": 1000}
    return {**about, "files": files, **measured}


def test_both_tables_and_the_machine_are_printed() -> None:
    machine = {"processor": "A fast one", "cores": 1, "system": "Linux x86_64"}
    printed = list(lines(card(machine=machine, measurement=MEASUREMENT)))
    assert printed[0] == "224 x 224 pixels, 3,362,810 parameters, 1,000 of 1,000 test images"
    assert "| `litert_int8` | 3,960 | 81.4 % | -0.2 | +0.0 | 98.7 % | 0.23 |" in printed
    assert "A fast one, 1 cores, Linux x86_64" in printed
    assert "| `litert_int8` | LiteRT of TensorFlow 2.21.0 | 21.5 | 6.54, 7.01 | \N{EN DASH} | 6.5 | 9 |" in printed
    assert sum("float16" in line for line in printed) == 1  # it was not timed


def test_a_version_that_was_not_timed_has_one_table() -> None:
    printed = list(lines(card(machine=None)))
    assert sum(line.startswith("| ---") for line in printed) == 1
