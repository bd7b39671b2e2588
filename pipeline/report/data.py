"""What the data looked like: from the statistics, the examples and what could not be read."""

from __future__ import annotations

import itertools
import json
from typing import NamedTuple

from components.artifacts import Examples, SplitStatistics, Statistics

SIZES_SHOWN = 8
REJECTED_SHOWN = 100


class Balance(NamedTuple):
    """How many images a class has in each split."""

    name: str
    counts: dict[str, int]
    fraction: float  # of the largest class in the first split, for a bar


class Data(NamedTuple):
    """None of it needs an image to be read. `statistics` is None where normalize did not run."""

    examples: Examples
    statistics: Statistics | None
    splits: tuple[str, ...]
    balance: tuple[Balance, ...]  # the class with the fewest training images first
    sizes: tuple[tuple[str, int], ...]  # over all splits, the most frequent first
    hidden_sizes: int
    rejected: tuple[tuple[str, str], ...]  # the first of them: file, reason

    @property
    def training(self) -> SplitStatistics | None:
        """Of the split that is trained on."""
        return self.statistics.splits.get("train") if self.statistics else None


def describe_data(examples: Examples, statistics: Statistics | None) -> Data:
    """Everything but the pictures."""
    sizes = _sizes(statistics)
    return Data(
        examples=examples,
        statistics=statistics,
        splits=tuple(examples.splits),
        balance=_balance(examples, statistics),
        sizes=tuple(sizes[:SIZES_SHOWN]),
        hidden_sizes=max(0, len(sizes) - SIZES_SHOWN),
        rejected=_rejected(examples),
    )


def _balance(examples: Examples, statistics: Statistics | None) -> tuple[Balance, ...]:
    if statistics is None:
        return ()
    counts = [
        {split: found.class_counts[label] for split, found in statistics.splits.items()}
        for label in range(len(examples.class_names))
    ]
    largest = max((each["train"] for each in counts), default=0) or 1
    rows = (
        Balance(name, each, each["train"] / largest) for name, each in zip(examples.class_names, counts, strict=True)
    )
    return tuple(sorted(rows, key=lambda row: row.counts["train"]))


def _sizes(statistics: Statistics | None) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for found in statistics.splits.values() if statistics else ():
        for size, count in found.image_sizes.items():
            total[size] = total.get(size, 0) + count
    return sorted(total.items(), key=lambda item: -item[1])


def _rejected(examples: Examples) -> tuple[tuple[str, str], ...]:
    path = examples.folder / "rejected.jsonl"
    if not path.exists():
        return ()
    with path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in itertools.islice(lines, REJECTED_SHOWN)]
    return tuple((record["file"], record["reason"]) for record in records)
