"""Runs every file of a staged version over the test split, and reports how it compares, or refuses it."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import Model
from components.push import PushConfig, Variant
from components.push.card import Row, size_bytes
from components.push.comparison import (
    AccuracyError,
    compare,
    require_accuracy,
    require_consistent,
    require_probabilities,
    require_same,
)
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import KINDS, Exporter, predict
from components.push.fresh_process import FreshProcess, step
from components.push.limits import require_size

EXPLAINING_IMAGES = 100


def export(
    exporter: Exporter, variant: Variant, folder: Path, model: Model, evaluated: EvaluatedImages, config: PushConfig
) -> Row:
    """Writes the variant's file into `folder`, and returns its row in the card.

    A `smallest` file that loses too much accuracy is made again with more bits.

    Raises ComponentError if the file cannot be made or differs too much.
    """
    while True:
        file = exporter.save(variant, folder)
        try:
            row = verify_export(variant, file, model, evaluated, config)
        except AccuracyError as error:
            if not exporter.allow_less(variant):
                raise _explained(error, exporter, variant, file, evaluated) from error
        else:
            return row.model_copy(update={"weights": exporter.weights(variant)})


def _explained(
    error: AccuracyError, exporter: Exporter, variant: Variant, file: Path, evaluated: EvaluatedImages
) -> AccuracyError:
    """Returns the error with the tensor that costs most."""
    tensor = exporter.costliest(variant, file, evaluated.images[:EXPLAINING_IMAGES])
    if tensor is None:
        return error
    return AccuracyError(
        f"{error} Of its tensors, {tensor} costs most: compressed alone, it moves the probabilities furthest. The "
        "variant smallest gives such tensors more bits."
    )


def verify_export(variant: Variant, file: Path, model: Model, evaluated: EvaluatedImages, config: PushConfig) -> Row:
    """Returns the card's row of a file beside the SavedModel.

    Raises ComponentError if the file is too large or differs too much.
    """
    kind = KINDS[variant]
    require_size(file.name, variant, size_bytes(file), config)
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
        opset=kind.opset,
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
