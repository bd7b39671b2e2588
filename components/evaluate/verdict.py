"""Everything that the workers found, as an Evaluation: complete, by name, and judged."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Caption, Evaluation, Examples, Model
from components.component import Refusal, Workspace
from components.evaluate import EvaluateConfig
from components.evaluate.analysis import Figures, SliceKey
from components.evaluate.caption import measure
from components.evaluate.gate import check_finite, judge
from components.evaluate.prediction import Predicted, read_predictions
from components.evaluate.thresholds import OVERALL, class_slice, top_k_metric

Values = dict[str, float]


def gather(
    workspace: Workspace, results: list[Any], examples: Examples, model: Model, config: EvaluateConfig
) -> Evaluation:
    """Raises Refusal if not every image of the blessing split was predicted and measured exactly once."""
    predicted = [result for result in results if isinstance(result, Predicted)]
    figures = [result for result in results if isinstance(result, Figures)]
    matrix = _confusion_matrix(figures, len(model.class_names))
    slices = _slices(figures, matrix, model.class_names, config.top_k)
    overall = slices.pop(OVERALL, {})
    measured_count = int(overall.pop("example_count", 0))
    _check_complete(predicted, measured_count, examples, workspace.folder / "predictions")
    checks = (
        check_finite(sum(shard.not_finite_count for shard in predicted), measured_count),
        *judge(config.thresholds.limits(model.class_names, config.top_k), {OVERALL: overall, **slices}),
    )
    return Evaluation(
        folder=workspace.folder,
        blessed=all(check.passed for check in checks),
        checks=checks,
        example_count=measured_count,
        metrics=overall,
        slices=slices,
        class_names=model.class_names,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
        caption=_caption(model, workspace.folder / "predictions", config.caption_precision),
    ).write()


def _caption(model: Model, predictions: Path, precision: float) -> Caption | None:
    if not model.validation_file.exists():
        return None
    with np.load(model.validation_file) as validation:
        known = validation["confidence"], validation["right"]
    labels, probabilities = read_predictions(predictions)
    blessing = np.nan_to_num(probabilities.max(axis=1)), probabilities.argmax(axis=1) == labels
    return measure(known, blessing, precision)


def _slices(
    figures: list[Figures], matrix: NDArray[np.int64], class_names: tuple[str, ...], top_k: int
) -> dict[str, Values]:
    """All metrics by slice: "overall" first, then the classes that have examples, in their order."""
    slices: dict[str, Values] = defaultdict(dict)
    for part in sorted(figures, key=lambda part: (part.slice, sorted(part.values))):
        slices[_slice_name(part.slice, class_names)] |= part.values
    for index, class_name in enumerate(class_names):
        if class_slice(class_name) in slices:
            slices[class_slice(class_name)] |= class_figures(matrix, index)
    if top_k >= len(class_names):
        for values in slices.values():
            del values[top_k_metric(top_k)]  # always 1
    return dict(slices)


def _slice_name(key: SliceKey, class_names: tuple[str, ...]) -> str:
    return class_slice(class_names[key[0][1]]) if key else OVERALL


def _check_complete(predicted: list[Predicted], measured_count: int, examples: Examples, folder: Path) -> None:
    """Removes what an interrupted attempt left between the files of this one."""
    expected = examples.example_counts["blessing"]
    predicted_count = sum(shard.example_count for shard in predicted)
    if not expected == predicted_count == measured_count:
        raise Refusal(
            f"The blessing split of {examples.dataset} has {expected} images on record, but {predicted_count} were "
            f"predicted and {measured_count} measured. Prepare the dataset again."
        )
    missing = sorted(shard.file for shard in predicted if not (folder / shard.file).exists())
    if missing:
        raise Refusal(f"{folder} lacks {missing[0]}: all workers must share one filesystem.")
    for path in folder.iterdir():
        if path.name not in {shard.file for shard in predicted}:
            path.unlink()


def _confusion_matrix(figures: list[Figures], class_count: int) -> NDArray[np.int64]:
    """int64 (classes, classes), rows: the true class, columns: the predicted one."""
    matrix = np.zeros((class_count, class_count), np.int64)
    for part in figures:
        if not part.slice:
            for true, answer, count in part.confusion:
                matrix[true, answer] = count
    return matrix


def class_figures(matrix: NDArray[np.int64], index: int) -> Values:
    """Of one class; 0 where the class was never the answer, as scikit-learn has it."""
    hits, examples, answers = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
    return {
        "precision": hits / max(answers, 1),
        "recall": hits / max(examples, 1),
        "f1": 2 * hits / max(answers + examples, 1),
    }
