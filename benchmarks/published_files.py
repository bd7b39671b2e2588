"""Prints the files of a published version as Markdown tables, of its model card: size and accuracy, time and memory.

    python -m benchmarks.few_photos --work /tmp/files --recipes transfer --counts 30 \\
        --set 'push.variants=["float16","int8","litert","litert_int8","onnx"]' --set push.max_accuracy_drop=1
    python -m benchmarks.published_files /tmp/files/root_transfer_30_*/pushed/1

"Where decided" leaves out the images between whose two likeliest classes the model itself hardly chose. Times are the
median and what 95 % of the runs took at most, for one image; "processor" is that of all threads in one run at 1 thread.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.figures import DASH, NO_BREAK, milliseconds
from components.registry.layout import MODEL_CARD

FILES = ("variant", "kB", "accuracy", "change, points", "where decided", "same class", "largest difference")
TIMES = ("variant", "runtime", "start, ms", "1 thread, ms", "2 threads, ms", "processor, ms", "memory, MB")


def main() -> None:
    """Prints both tables, and the machine on which the files were timed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", type=Path, help="a published version's folder")
    file = parser.parse_args().version / MODEL_CARD
    if not file.is_file():
        parser.error(f"{file} is not there: name the folder of a published version, such as pipeline_output/pushed/1")
    print("\n".join(lines(json.loads(file.read_bytes()))))


def lines(card: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of the tables of a model card."""
    rows = card["files"]
    yield (
        f"{card['image_height']} x {card['image_width']} pixels, {card['parameter_count']:,} parameters, "
        f"{rows[0]['comparison']['images']:,} of {card['test_images']:,} test images"
    )
    yield from _table(FILES, [_file(row) for row in rows])
    if machine := card.get("machine"):
        yield f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"
        yield from _table(TIMES, [_time(row) for row in rows if row.get("measurement")])


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    for row in (names, ["---"] * len(names), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _file(row: dict[str, Any]) -> list[str]:
    found = row["comparison"]
    return [
        f"`{row['variant']}`",
        f"{row['bytes'] / 1000:,.0f}",
        f"{100 * found['accuracy']:.1f} %",
        f"{100 * found['accuracy_difference']:+.1f}",
        f"{100 * found['decided_accuracy_difference']:+.1f}",
        f"{100 * found['agreement']:.1f} %",
        f"{found['max_probability_difference']:.2g}",
    ]


def _time(row: dict[str, Any]) -> list[str]:
    measured = row["measurement"]
    medians = [
        f"{_number(each['median_milliseconds'])}, {_number(each['p95_milliseconds'])}" for each in measured["latency"]
    ]
    return [
        f"`{row['variant']}`",
        measured["runtime"],
        _number(measured["start_milliseconds"]),
        *(*medians, DASH)[:2],
        _number(measured["latency"][0]["processor_milliseconds"]),
        f"{measured['memory_bytes'] / 1e6:.0f}",
    ]


def _number(value: float) -> str:
    return milliseconds(value).partition(NO_BREAK)[0]


if __name__ == "__main__":
    main()
