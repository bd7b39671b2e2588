"""Gathers what the model card for people says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from components.artifacts import Evaluation, Examples, Model
from components.intervals import Interval, wilson
from components.push import PushConfig
from components.push.card import ModelCard, Row
from components.push.measurement import Latency
from components.push.mistakes import Mistake
from components.push.usage import Use, how_to_use

NAMES_SHOWN = 100
ROWS_SHOWN = 40  # of a table; the lowest figures stand first


class ClassResult(NamedTuple):
    """The results of one class, 0-1. A figure that is not defined, because there are no images, is None."""

    name: str
    images: int
    recall: float | None
    precision: float | None
    taken_for: str  # the class that its images are most often taken for; empty if they never are


class SliceResult(NamedTuple):
    """The results of the test images that have a feature in common, such as dark ones."""

    feature: str
    value: str
    images: int
    accuracy: float  # 0-1
    interval: Interval


class TimeRow(NamedTuple):
    """The time and memory of one file. A figure that was not measured is None."""

    file: str
    bytes: int
    runtime: str = ""  # empty if the file was not measured
    start_milliseconds: float | None = None
    one_thread: Latency | None = None  # where the runtime chooses its threads, with those
    two_threads: Latency | None = None
    memory_bytes: int | None = None

    @classmethod
    def of(cls, row: Row) -> TimeRow:
        """Returns the row of a file."""
        measured = row.measurement
        if measured is None:
            return cls(row.file, row.bytes)
        latency = dict(enumerate(measured.latency))
        start, memory = measured.start_milliseconds, measured.memory_bytes
        return cls(row.file, row.bytes, measured.runtime, start, latency.get(0), latency.get(1), memory)


@dataclass(frozen=True)
class CardFacts:
    """Everything that the card for people shows. Tables hold the lowest figures first, and all rows."""

    about: str  # what it tells apart, in a sentence
    author: str
    license: str
    card: ModelCard
    examples: Examples
    model: Model
    evaluation: Evaluation
    accuracy: float  # over the test split, 0-1
    interval: Interval
    classes: tuple[ClassResult, ...]
    slices: tuple[SliceResult, ...]
    mistakes: tuple[Mistake, ...]
    files: tuple[tuple[Row, Use], ...]

    @property
    def timed(self) -> tuple[TimeRow, ...]:
        """The time and memory of each file; of none if no file was measured."""
        return tuple(TimeRow.of(row) for row, _ in self.files) if self.card.machine else ()

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes in which files were timed, each once."""
        return tuple(dict.fromkeys(row.runtime for row in self.timed if row.runtime))

    @property
    def was_disturbed(self) -> bool:
        """Whether the files were timed on a busy machine."""
        return any(row.one_thread is not None and row.one_thread.was_disturbed for row in self.timed)

    @property
    def wrong_images(self) -> int:
        """The number of images of the test split that are classified wrongly."""
        return self.evaluation.example_count - round(self.accuracy * self.evaluation.example_count)


def gather_facts(
    about: str,
    config: PushConfig,
    card: ModelCard,
    examples: Examples,
    model: Model,
    evaluation: Evaluation,
    mistakes: tuple[Mistake, ...],
) -> CardFacts:
    """Returns the facts. All of them come from the artifacts; the card holds the same figures for programs."""
    accuracy = evaluation.metrics["accuracy"]
    return CardFacts(
        about=about,
        author=config.author,
        license=config.license,
        card=card,
        examples=examples,
        model=model,
        evaluation=evaluation,
        accuracy=accuracy,
        interval=wilson(accuracy, evaluation.example_count),
        classes=class_results(evaluation.class_names, evaluation.confusion_matrix),
        slices=slice_results(evaluation.slices),
        mistakes=mistakes,
        files=tuple((row, how_to_use(row, config.deployment_target)) for row in card.files),
    )


def class_results(names: tuple[str, ...], confusion_matrix: Sequence[Sequence[int]]) -> tuple[ClassResult, ...]:
    """Returns the results of each class, the lowest recall first. A row of the matrix is a true class."""
    predicted = np.zeros(len(names), np.int64)
    for row in confusion_matrix:  # one row at a time: of 10,000 classes, the matrix as an array takes 800 MB
        predicted += np.asarray(row, np.int64)
    results = [
        _class_result(names, index, np.asarray(row, np.int64), int(predicted[index]))
        for index, row in enumerate(confusion_matrix)
    ]
    return tuple(sorted(results, key=lambda result: (result.recall is None, result.recall)))


def _class_result(names: tuple[str, ...], index: int, row: np.ndarray, predicted: int) -> ClassResult:
    right, images = int(row[index]), int(row.sum())
    wrong = row.copy()
    wrong[index] = 0
    return ClassResult(
        name=names[index],
        images=images,
        recall=right / images if images else None,
        precision=right / predicted if predicted else None,
        taken_for=names[int(wrong.argmax())] if wrong.any() else "",
    )


def slice_results(slices: dict[str, dict[str, float]]) -> tuple[SliceResult, ...]:
    """Returns the results of all slices with images but the classes, the lowest accuracy first."""
    results = []
    for name, metrics in slices.items():
        feature, _, value = name.partition("=")
        images = int(metrics.get("example_count", 0))
        if feature != "class" and images and "accuracy" in metrics:
            interval = wilson(metrics["accuracy"], images)
            results.append(SliceResult(feature, value, images, metrics["accuracy"], interval))
    return tuple(sorted(results, key=lambda result: result.accuracy))
