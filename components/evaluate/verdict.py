"""Makes the Evaluation from everything that the workers found: checks that it is complete, and applies the gate."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import Baseline, Bounds, Caption, Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.evaluate import EvaluateConfig
from components.evaluate.analysis import BASELINE, CANDIDATE, Figures
from components.evaluate.baseline import find_baseline
from components.evaluate.caption import measure as measure_caption
from components.evaluate.ceilings import judge_findings
from components.evaluate.example_scores import ExampleScores
from components.evaluate.few_images import advice, all_images
from components.evaluate.gate import Measured, check_finite, check_unseen, judge
from components.evaluate.measures import Measure, measure
from components.evaluate.prediction import Predicted, Predictions, read_predictions
from components.evaluate.tables import Values, check_slice_count, confusion_matrix, values_by_slice
from components.evaluate.thresholds import OVERALL
from components.findings import Findings
from components.intervals import Interval
from components.registry.versions import Version

logger = logging.getLogger(__name__)
Measures = Mapping[tuple[str, str], Measure]  # by slice and metric
OWN_METRICS = ("auc", "expected_calibration_error")  # taken from `measures`, because TFMA does not compute them here
_DECIMALS = 9


def gather(
    workspace: Workspace,
    results: list[Any],
    examples: Examples,
    model: Model,
    config: EvaluateConfig,
    findings: Findings | None = None,
) -> Evaluation:
    """Makes the Evaluation from the workers' results.

    Raises ComponentError if not every image of the test split was predicted and measured exactly once, or if the
    baseline was removed meanwhile.
    """
    baseline = find_baseline(workspace, examples, model)
    predicted = [result for result in results if isinstance(result, Predicted)]
    figures = [result for result in results if isinstance(result, Figures)]
    folder = workspace.folder / "predictions"
    measured_count = _example_count(figures)
    _check_complete(predicted, measured_count, examples, folder)
    check_slice_count(figures)
    predictions = read_predictions(folder)
    measures = {(each.slice, each.metric): each for each in measure(predictions, model.class_names, config.top_k)}
    matrix = confusion_matrix([each for each in figures if each.model == CANDIDATE], len(model.class_names))
    slices = _table(figures, CANDIDATE, measures, model, config)
    every = all_images(model, slices[OVERALL]["accuracy"], measured_count)
    measured = Measured(
        slices, measures, baseline.words, baseline.version is not None, baseline.contenders, every, advice(model)
    )
    checks = (
        check_finite(sum(shard.not_finite_count for shard in predicted), measured_count),
        *check_unseen(model.started_from),
        *judge(config.thresholds.limits(model.class_names, config.top_k), measured),
        *judge_findings(config.thresholds.ceilings(), findings),
    )
    evaluation = Evaluation(
        folder=workspace.folder,
        blessed=all(check.passed for check in checks),
        checks=checks,
        example_count=measured_count,
        **_overall_and_slices(slices),
        intervals=_intervals(measures),
        cross_validated=every.pooled if every else None,
        baseline=_baseline(baseline.version, _table(figures, BASELINE, measures, model, config), measures),
        class_names=model.class_names,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
        caption=_caption(model, predictions, config.caption_precision),
    ).write()
    if findings is not None and findings.warnings:
        logger.warning(_without_copies(evaluation, findings.leaked_images))
    return evaluation


def _without_copies(evaluation: Evaluation, copied_images: int) -> str:
    """Returns what the accuracy is without the test images that have a near copy in another split, as a sentence."""
    near_copies = evaluation.near_copies()
    said = f"The accuracy is {100 * evaluation.metrics['accuracy']:.1f} %"
    if near_copies is None:
        return f"{said}, and every test image has a near copy in train or validation."
    rest, _ = near_copies
    images = "test image that has" if copied_images == 1 else f"{copied_images} test images that have"
    return f"{said}, and {100 * rest['accuracy']:.1f} % without the {images} a near copy in train or validation."


def _example_count(figures: list[Figures]) -> int:
    return sum(
        int(part.values.get("example_count", 0)) for part in figures if part.model == CANDIDATE and not part.slice
    )


def _check_complete(predicted: list[Predicted], measured_count: int, examples: Examples, folder: Path) -> None:
    """Checks the number of images, and removes the files that an interrupted attempt left."""
    expected = examples.example_counts["test"]
    predicted_count = sum(shard.example_count for shard in predicted)
    if not expected == predicted_count == measured_count:
        raise ComponentError(
            f"The test split of {examples.dataset} has {expected} images on record, but {predicted_count} were "
            f"predicted and {measured_count} measured. Prepare the dataset again."
        )
    missing = sorted(shard.file for shard in predicted if not (folder / shard.file).exists())
    if missing:
        raise ComponentError(
            f"{folder} lacks {missing[0]}: workers on several machines must share one filesystem, or a root in object "
            "storage (--pipeline_root=s3://...)."
        )
    for path in folder.iterdir():
        if path.name not in {shard.file for shard in predicted}:
            path.unlink()


def _table(
    figures: list[Figures], whose: int, measures: Measures, model: Model, config: EvaluateConfig
) -> dict[str, Values]:
    """Returns TFMA's figures of one of the two models, with those of `OWN_METRICS`."""
    own = [part for part in figures if part.model == whose]
    slices = values_by_slice(own, confusion_matrix(own, len(model.class_names)), model.class_names, config.top_k)
    for (slice_, metric), found in measures.items():
        value = found.value if whose == CANDIDATE else found.baseline_value
        if metric in OWN_METRICS and slice_ in slices and value is not None:
            slices[slice_][metric] = round(value, _DECIMALS)
    return slices


def _overall_and_slices(slices: dict[str, Values]) -> dict[str, Any]:
    """Returns the fields `metrics` and `slices` of an Evaluation or a Baseline."""
    overall = {name: value for name, value in slices.get(OVERALL, {}).items() if name != "example_count"}
    return {"metrics": overall, "slices": {name: values for name, values in slices.items() if name != OVERALL}}


def _intervals(measures: Measures) -> dict[str, dict[str, Bounds]]:
    found: dict[str, dict[str, Bounds]] = defaultdict(dict)
    for (slice_, metric), each in measures.items():
        found[slice_][metric] = _bounds(each.interval)
    return dict(found)


def _baseline(version: Version | None, slices: dict[str, Values], measures: Measures) -> Baseline | None:
    if version is None:
        return None
    intervals: dict[str, dict[str, Bounds]] = defaultdict(dict)
    for (slice_, metric), each in measures.items():
        if each.change is not None:
            intervals[slice_][metric] = _bounds(each.change.interval)
    return Baseline(
        version=version.number,
        model_digest=version.model_digest,
        **_overall_and_slices(slices),
        change_intervals=dict(intervals),
    )


def _bounds(interval: Interval) -> Bounds:
    return round(interval.low, _DECIMALS), round(interval.high, _DECIMALS)


def _caption(model: Model, predictions: Predictions, precision: float) -> Caption | None:
    if not model.validation_file.exists():
        return None
    with np.load(model.validation_file) as validation:
        known = validation["confidence"], validation["correct"]
    scores = ExampleScores.of(predictions.labels, predictions.probabilities)
    return measure_caption(known, (scores.confidence, scores.correct), precision)
