"""Runs every file of a staged version over the test split, and reports how it compares, or refuses it."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import Model
from components.push import PushConfig, Variant
from components.push.card import Row, size_bytes
from components.push.comparison import (
    compare,
    require_accuracy,
    require_consistent,
    require_probabilities,
    require_same,
)
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import KINDS, predict
from components.push.fresh_process import FreshProcess, step


def verify_export(variant: Variant, file: Path, model: Model, evaluated: EvaluatedImages, config: PushConfig) -> Row:
    """Returns the card's row of a file beside the SavedModel. Raises ComponentError if the file differs too much."""
    kind = KINDS[variant]
    probabilities = predict(file, evaluated.images, model.class_names)
    require_probabilities(file.name, probabilities, evaluated)
    comparison = compare(probabilities, evaluated, config.max_probability_difference)
    if kind.lossless:
        require_same(file.name, comparison, config, kind.weights)
    else:
        require_accuracy(file.name, comparison, config)
    return Row(
        file=file.name,
        variant=variant,
        bytes=size_bytes(file),
        size_over_float32=size_bytes(file) / (4 * model.parameter_count),
        weights=kind.weights,
        activations=kind.activations,
        comparison=comparison,
    )


def verify_saved_model(process: FreshProcess, model: Model, evaluated: EvaluatedImages, config: PushConfig) -> Row:
    """Returns the card's row of the SavedModel, for its signature that differs more among those run on all images.

    Raises ComponentError if one differs too much.
    """
    comparisons = []
    for signature, outputs in process.outputs().items():
        every = step(signature, len(evaluated.labels))
        file, run = f"saved_model ({signature})", evaluated.every(every)
        require_probabilities(file, outputs.probabilities, run)
        require_consistent(file, outputs, model.class_names)
        comparison = compare(outputs.probabilities, run, config.max_probability_difference)
        require_same(file, comparison, config)
        comparisons += [comparison] if every == 1 else []
    size = size_bytes(model.saved_model)
    return Row(
        file="saved_model",
        variant="saved_model",
        bytes=size,
        size_over_float32=size / (4 * model.parameter_count),
        weights="float32",
        activations="float32",
        comparison=max(comparisons, key=lambda comparison: comparison.max_probability_difference),
    )
