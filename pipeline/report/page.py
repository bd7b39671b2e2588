"""Gathers what the report of one run shows, in the order of the page. A section that is None is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from components.artifacts import Evaluation, Model
from components.figures import size
from components.images.small_picture import SmallPicture
from components.registry.layout import MODEL_CARD
from pipeline.errors import explain
from pipeline.orchestrator.run_artifacts import RunArtifacts
from pipeline.orchestrator.run_record import RunRecord
from pipeline.report.accuracy import Accuracy, find_accuracy
from pipeline.report.classes import ClassRow, Confusion, class_rows, find_confusion
from pipeline.report.data import Data, describe_data
from pipeline.report.drift import Drift, find_drift
from pipeline.report.figures import FigureRow, figure_rows
from pipeline.report.origin import Origin, find_origin
from pipeline.report.pictures import UNREADABLE, MeanPictures, mean_pictures, pictures_by_index
from pipeline.report.plots import learning_curve, reliability_diagram
from pipeline.report.predictions import (
    Predictions,
    calibration_bins,
    expected_calibration_error,
    read_predictions,
)
from pipeline.report.rendering import duration
from pipeline.report.slices import SliceTable, slice_tables
from pipeline.report.verdict import Verdict, give_verdict

PICTURES_PER_SHEET = 24
SLICE_NOTES = {
    "brightness": "Brightness is the mean luma of an image, 0 to 1: dark is below 0.4, bright from 0.6 on.",
    "contrast": "Contrast is the standard deviation of an image's luma: low is below 0.15, high from 0.25 on.",
    "size": "Size is the shorter side of an image as it is stored, in pixels.",
    Evaluation.ACROSS_SPLITS: "Whether an image has a near copy in train or validation, which makes it easier.",
}
CALIBRATION_METRIC = "expected_calibration_error"


class Training(NamedTuple):
    """The training of the model: its learning curves and its cost."""

    model: Model
    curves: tuple[Markup, ...]
    effort: tuple[str, ...]  # what the attempt that made it took: "35.1 s", "271 images/s"
    hard_epochs: tuple[int, ...]  # epochs, counted from 1, that left out easy images


class Calibration(NamedTuple):
    """The calibration: how well the model's confidence agrees with its accuracy."""

    diagram: Markup
    error: float  # the expected calibration error, 0-1
    by_evaluation: bool  # whether the evaluation computed the error, and not this module
    bin_count: int


class Shown(NamedTuple):
    """One image of the test split with the model's prediction. Probabilities are 0-1."""

    picture: SmallPicture
    label: str
    predicted: str
    confidence: float
    label_probability: float
    correct: bool


class Pictures(NamedTuple):
    """The pictures of the page: everything that needs the dataset to be read."""

    mistakes: list[Shown]
    uncertain: list[Shown]
    means: MeanPictures | None
    obstacle: str = ""  # why there are no pictures


@dataclass(frozen=True)
class Page:
    """Everything that the report shows, with about one field per section."""

    record: RunRecord
    verdict: Verdict
    accuracy: Accuracy | None
    figures: list[FigureRow]
    evaluation: Evaluation | None
    training: Training | None
    confusion: Confusion | None
    classes: list[ClassRow]
    calibration: Calibration | None
    pictures: Pictures
    mistake_count: int
    slices: list[SliceTable]
    slice_notes: dict[str, str]  # what a feature's values mean, by feature; empty if that is obvious
    data: Data | None
    drift: Drift | None
    card: dict[str, Any] | None
    version: int | None
    origin: Origin


def make_page(run: RunArtifacts) -> Page:
    """Returns the content of a run's report. Of the dataset it reads only the images that are shown or averaged."""
    evaluation = run.evaluation
    predictions = read_predictions(evaluation) if evaluation else None
    return Page(
        record=run.record,
        verdict=give_verdict(run),
        accuracy=find_accuracy(run, predictions),
        figures=figure_rows(evaluation) if evaluation else [],
        evaluation=evaluation,
        training=_training(run.model),
        confusion=find_confusion(evaluation) if evaluation else None,
        classes=class_rows(evaluation) if evaluation else [],
        calibration=_calibration(evaluation, predictions),
        pictures=_read_pictures(run, predictions),
        mistake_count=0 if predictions is None else int((~predictions.correct).sum()),
        slices=(tables := slice_tables(evaluation) if evaluation else []),
        slice_notes={table.feature: SLICE_NOTES.get(table.feature, "") for table in tables},
        data=describe_data(run.examples, run.statistics, run.findings) if run.examples else None,
        drift=find_drift(run),
        card=_card(run),
        version=run.push.version if run.push else None,
        origin=find_origin(run),
    )


def _read_pictures(run: RunArtifacts, predictions: Predictions | None) -> Pictures:
    """Returns the pictures, or why there are none: a page can be written even if the dataset is gone."""
    try:
        mistakes, uncertain = show(run, predictions, _sheets(predictions))
        return Pictures(mistakes, uncertain, _mean_pictures(run))
    except UNREADABLE as error:
        return Pictures([], [], None, explain(error))


def _sheets(predictions: Predictions | None) -> tuple[np.ndarray, np.ndarray]:
    if predictions is None:
        return np.array([], np.int64), np.array([], np.int64)
    return predictions.confident_mistakes(PICTURES_PER_SHEET), predictions.least_certain(PICTURES_PER_SHEET)


def show(run: RunArtifacts, predictions: Predictions | None, sheets: tuple[np.ndarray, ...]) -> tuple[list[Shown], ...]:
    """Returns the images of several sheets, each given as indices in the test split. Each image is read only once."""
    examples, model = run.examples, run.model
    if predictions is None or examples is None or model is None:
        return tuple([] for _ in sheets)
    pictures = pictures_by_index(examples, model, np.concatenate(sheets))
    names = model.class_names
    return tuple(
        [
            Shown(
                picture=pictures[int(index)],
                label=names[predictions.labels[index]],
                predicted=names[predictions.predicted[index]],
                confidence=float(predictions.confidence[index]),
                label_probability=float(predictions.label_probability[index]),
                correct=bool(predictions.correct[index]),
            )
            for index in sheet
        ]
        for sheet in sheets
    )


def _training(model: Model | None) -> Training | None:
    if model is None:
        return None
    records = _read(model.folder / "history.json") or []
    curves = (learning_curve(records, "loss"), learning_curve(records, "accuracy", percent=True))
    return Training(
        model=model,
        curves=tuple(curve for curve in curves if curve is not None),
        effort=tuple(_effort(_read(model.folder / "logs" / "training.json") or {})),
        hard_epochs=tuple(record["epoch"] for record in records if record.get("left_out_images")),
    )


def _effort(figures: dict[str, float]) -> Iterator[str]:
    if "seconds" in figures:
        yield duration(figures["seconds"])
    if "images_per_second" in figures:
        yield f"{figures['images_per_second']:,.0f} images/s"
    if "peak_memory_bytes" in figures:
        yield f"at most {size(int(figures['peak_memory_bytes']))} of memory"


def _calibration(evaluation: Evaluation | None, predictions: Predictions | None) -> Calibration | None:
    if evaluation is None or predictions is None:
        return None
    bins = calibration_bins(predictions)
    given = evaluation.metrics.get(CALIBRATION_METRIC)
    error = expected_calibration_error(bins) if given is None else given
    return Calibration(reliability_diagram(bins), error, given is not None, len(bins))


def _mean_pictures(run: RunArtifacts) -> MeanPictures | None:
    examples, model, statistics = run.examples, run.model, run.statistics
    if examples is None or model is None or statistics is None:
        return None
    return mean_pictures(examples, model, statistics.splits["train"].class_counts)


def _card(run: RunArtifacts) -> dict[str, Any] | None:
    """Returns the model card of the published version; None if there is no version, or it has no card."""
    directory = run.push.version_directory if run.push else None
    return _read(directory / MODEL_CARD) if directory else None


def _read(path: Path) -> Any:
    """Returns the JSON in a file, or None if there is no such file."""
    return json.loads(path.read_bytes()) if path.exists() else None
