"""Compares the training images with those of the best published version, before time is spent on training.

The run's report shows the same, and how that version's predictions change (pipeline/report/drift.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from components.artifacts import Examples, SplitStatistics, Statistics
from components.normalize import Checks
from components.registry.layout import pushed_folder
from components.registry.versions import Version, best_version

logger = logging.getLogger(__name__)

CHANNELS = ("red", "green", "blue")


def find_drift(root: Path, examples: Examples, now: SplitStatistics, checks: Checks) -> Iterator[str]:
    """Yields a sentence for each change beyond its limit.

    It yields nothing if no version is published. If the statistics of the version are missing, it logs a warning.
    """
    version = best_version(pushed_folder(root), examples.class_names) or best_version(pushed_folder(root))
    before = None if version is None else _training_statistics(root, version)
    if version is None:
        return
    if before is None:
        logger.warning(
            "Drift was not looked for: the statistics of version %d are not in %s.",
            version.number,
            root / version.statistics if version.statistics else f"its record in {version.folder}",
        )
        return
    ask = "Look at the new images; if they are as they should be, set normalize.checks.drift to warn."
    channel, shift = _largest_shift(before, now)
    if shift > checks.max_channel_drift:
        yield (
            f"The {channel} channel of the training images has moved by {shift:.2f} deviations from those of version "
            f"{version.number}; normalize.checks.max_channel_drift is {checks.max_channel_drift:g}. {ask}"
        )
    moved = _moved(_fractions(version.class_names, before), _fractions(examples.class_names, now))
    distance = sum(map(abs, moved.values())) / 2
    if distance > checks.max_class_drift:
        name = max(moved, key=lambda each: abs(moved[each]))
        yield (
            f"{distance:.0%} of the training images would have to be of another class for the balance of version "
            f'{version.number}, "{name}" above all ({moved[name]:+.0%}); normalize.checks.max_class_drift is '
            f"{checks.max_class_drift:.0%}. {ask}"
        )


def _training_statistics(root: Path, version: Version) -> SplitStatistics | None:
    try:
        return Statistics.read(root / version.statistics).splits.get("train")
    except (OSError, ValidationError):
        return None


def _largest_shift(before: SplitStatistics, now: SplitStatistics) -> tuple[str, float]:
    """Returns the channel whose mean or deviation changed most, and the change in units of its old deviation.

    The unit is at least one of 255 levels.
    """
    shifts = {}
    for index, channel in enumerate(CHANNELS):
        unit = max(before.channel_std[index], 1 / 255)
        mean = abs(now.channel_mean[index] - before.channel_mean[index])
        deviation = abs(now.channel_std[index] - before.channel_std[index])
        shifts[channel] = max(mean, deviation) / unit
    return max(shifts.items(), key=lambda shift: shift[1])


def _fractions(class_names: tuple[str, ...], split: SplitStatistics) -> dict[str, float]:
    total = max(1, sum(split.class_counts))
    return {name: count / total for name, count in zip(class_names, split.class_counts, strict=False)}


def _moved(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {name: now.get(name, 0.0) - before.get(name, 0.0) for name in {**before, **now}}
