from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf

from components.train.progress import Progress

RECORD = {"epoch": 1, "loss": 0.5, "accuracy": 0.75}


class Clock:
    """Goes on by a tenth of a second whenever it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.1
        return self.seconds


@pytest.fixture
def reports() -> list[tuple[float, float, str]]:
    return []


@pytest.fixture
def progress(tmp_path: Path, reports: list[tuple[float, float, str]]) -> Progress:
    return Progress(tmp_path, lambda *report: reports.append(report), clock=Clock())


def test_reports_come_at_most_four_times_a_second_and_at_the_end(
    progress: Progress, reports: list[tuple[float, float, str]]
) -> None:
    progress.start(0, 100, 50, [])
    for step in range(1, 101):
        progress.steps_done(step)

    assert reports[-1][:2] == (100, 100)
    assert reports[-1][2].endswith("images/s, 0 s left")
    assert 20 <= len(reports) <= 60


def test_speed_and_time_left_are_of_this_attempt(progress: Progress, reports: list[tuple[float, float, str]]) -> None:
    progress.start(90, 100, 50, [RECORD])
    for step in (91, 92, 93):
        progress.steps_done(step)

    done, total, note = reports[0]
    assert (done, total) == (93, 100)
    # 3 steps of 50 images in 0.4 s by the note's clock, 0.3 s a step earlier; 7 steps are left.
    assert note == "375 images/s, 1 s left"


def test_events_and_figures_are_written(progress: Progress, tmp_path: Path) -> None:
    progress.start(10, 20, 5, [RECORD])
    progress.steps_done(20)
    progress.epoch_done({**RECORD, "epoch": 2, "loss": 0.25}, 20)
    progress.finish()

    events = [event for file in tmp_path.glob("events.*") for event in tf.compat.v1.train.summary_iterator(str(file))]
    losses = {
        event.step: float(tf.make_ndarray(value.tensor))
        for event in events
        for value in event.summary.value
        if value.tag == "loss"
    }
    assert losses == {1: 0.5, 2: 0.25}
    figures = json.loads((tmp_path / "training.json").read_text())
    assert figures["steps"] == 10
    assert figures["seconds"] > 0
    assert figures["images_per_second"] > 0
    assert figures["peak_memory_bytes"] > 50_000_000
