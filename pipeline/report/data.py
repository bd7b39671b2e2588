"""The report's section on the data, from the examples, the statistics and the list of files that were left out."""

from __future__ import annotations

import itertools
import json
from typing import NamedTuple

from components.artifacts import LOGS, Examples, SplitStatistics, Statistics
from components.findings import Findings
from pipeline.report.corrections import correction_words
from pipeline.report.findings_summary import count_words

SIZES_SHOWN = 8
LEFT_OUT_SHOWN = 100


class Balance(NamedTuple):
    """The number of images that a class has in each split."""

    name: str
    counts: dict[str, int]
    fraction: float  # training images by those of the largest class, for a bar


class Data(NamedTuple):
    """The facts about the data that need no image to be read. `statistics` is None if normalize did not run."""

    examples: Examples
    statistics: Statistics | None
    splits: tuple[str, ...]
    balance: tuple[Balance, ...]  # the class with the fewest training images first
    sizes: tuple[tuple[str, int], ...]  # (size, images) over all splits, the most frequent first
    hidden_sizes: int
    left_out: tuple[tuple[str, str], ...]  # (file, reason) of the first files that were left out, the unreadable first
    left_out_files: int  # how many there are
    left_out_words: str  # a sentence
    corrected: str  # what people have corrected, in a few words; empty: nothing
    findings: Findings | None  # None if nobody looked for what is wrong with the images
    found: str  # what they are, in a few words

    @property
    def training(self) -> SplitStatistics | None:
        """The statistics of the training split, or None."""
        return self.statistics.splits.get("train") if self.statistics else None


def describe_data(examples: Examples, statistics: Statistics | None, findings: Findings | None = None) -> Data:
    """Returns all facts about the data except the pictures."""
    sizes = _sizes(statistics)
    return Data(
        examples=examples,
        statistics=statistics,
        splits=tuple(examples.splits),
        balance=_balance(examples, statistics),
        sizes=tuple(sizes[:SIZES_SHOWN]),
        hidden_sizes=max(0, len(sizes) - SIZES_SHOWN),
        left_out=_left_out(examples),
        left_out_files=examples.rejected_files + sum(examples.left_out_files.values()),
        left_out_words=_left_out_words(examples),
        corrected=correction_words(examples.corrections),
        findings=findings,
        found=count_words(findings) if findings else "",
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


def _left_out(examples: Examples) -> tuple[tuple[str, str], ...]:
    path = examples.folder / LOGS / "rejected.jsonl"
    if not path.exists():
        return ()
    with path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in itertools.islice(lines, LEFT_OUT_SHOWN)]
    return tuple((record["file"], record["reason"]) for record in records)


def _left_out_words(examples: Examples) -> str:
    """Returns a sentence such as `3 files could not be read; left out besides: 6 made by a system.`"""
    lost = examples.rejected_files
    others = ", ".join(f"{count:,} {reason}" for reason, count in sorted(examples.left_out_files.items()))
    unread = f"{lost:,} {'file' if lost == 1 else 'files'} could not be read" if lost else ""
    besides = f"left out{' besides' if lost else ''}: {others}" if others else ""
    said = "; ".join(filter(None, (unread, besides))) or "no file was left out"
    return f"{said[0].upper()}{said[1:]}."
