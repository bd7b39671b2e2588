"""Builds the Beam graph from shards to figures, with TensorFlow Model Analysis (TFMA) on the same graph.

TFMA's own extractors would take predictions as Arrow records and pass them through five stages. Here predictions are
made as TFMA's extracts, so that only its unbatching, slicing and metrics are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_model_analysis as tfma
import tf_keras
from numpy.typing import NDArray
from tensorflow_model_analysis.proto import config_pb2

from components.evaluate.prediction import Predicted, Shard, not_finite_count, predict
from components.evaluate.thresholds import top_k_metric

_CONFUSION = "confusion_matrix"
_EXTRACTS_EXAMPLES = 250
_SIGNIFICANT_DIGITS = 12

MODEL = "model being judged"  # a name that no feature of a dataset has
CANDIDATE, BASELINE = 0, 1

SliceKey = tuple[tuple[str, Any], ...]  # () is all images, (("class", 6),) is class 6


@dataclass(frozen=True)
class Figures:
    """The metrics that TFMA found in one slice."""

    model: int  # CANDIDATE or BASELINE
    slice: SliceKey
    values: dict[str, float]
    confusion: tuple[tuple[int, int, int], ...] = ()  # (true class, predicted class, examples)


def scan(shards: beam.PCollection, top_k: int, slice_by: Sequence[str]) -> beam.PCollection:
    """Builds the graph that gives one `Predicted` a shard, and one `Figures` for each slice and model."""
    predictions = shards | "Predict" >> beam.ParDo(_predictions).with_outputs("predicted", main="extracts")
    config = eval_config(top_k, slice_by)
    evaluation = predictions.extracts | "Analyze" >> tfma.ExtractAndEvaluate(
        extractors=[
            tfma.extractors.UnbatchExtractor(),
            tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
        ],
        evaluators=tfma.default_evaluators(eval_config=config),
    )
    metrics = evaluation[tfma.METRICS_KEY] | "Metrics" >> beam.MapTuple(_metrics)
    return (predictions.predicted, metrics) | "AllFound" >> beam.Flatten()


def eval_config(top_k: int, slice_by: Sequence[str]) -> config_pb2.EvalConfig:
    """Returns TFMA's config: what it measures, over all images and in every slice.

    Whether there is a baseline is not known when the graph is built. So TFMA sees the model (CANDIDATE or BASELINE) as
    one more feature to slice by.
    """
    metrics = [
        tf_keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        # Keras clips probabilities to 1e-7 and above. TFMA's own cross-entropy leaves zeros out: a model that is
        # certain of a wrong class would look perfect.
        tf_keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy", dtype="float64"),
        tf_keras.metrics.SparseTopKCategoricalAccuracy(k=top_k, name=top_k_metric(top_k)),
        tfma.metrics.MultiClassConfusionMatrixAtThresholds(thresholds=[-1.0], name=_CONFUSION),
    ]
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec()],
        # The confusion matrix counts the examples already: another count would take a sixth of the time.
        metrics_specs=tfma.metrics.specs_from_metrics(
            metrics, include_example_count=False, include_weighted_example_count=False
        ),
        # Classes by number: their names are unknown when the graph is built, and may hold any characters.
        slicing_specs=[
            config_pb2.SlicingSpec(feature_keys=[MODEL]),
            *(config_pb2.SlicingSpec(feature_keys=[MODEL, name]) for name in ("class", *slice_by)),
        ],
    )


def _predictions(shard: Shard) -> Iterator[Any]:
    """Yields TFMA's extracts, some hundred examples each; tagged "predicted": `Predicted`."""
    found = predict(shard)
    count = len(found.labels)
    yield beam.pvalue.TaggedOutput(
        "predicted", Predicted(shard.file.name, count, not_finite_count(found.probabilities))
    )
    for model, probabilities in ((CANDIDATE, found.probabilities), (BASELINE, found.baseline_probabilities)):
        if probabilities is None:
            continue
        for start in range(0, count, _EXTRACTS_EXAMPLES):
            part = slice(start, start + _EXTRACTS_EXAMPLES)
            slices = {name: values[part] for name, values in found.slices.items()}
            yield extracts(model, found.labels[part], probabilities[part], slices)


def extracts(
    model: int,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    slices: Mapping[str, NDArray[np.str_]],
) -> dict[str, Any]:
    """Returns TFMA's extracts of labels (n,), probabilities (n, classes), and the slice of each image, (n,) each."""
    # TFMA needs at least two classes.
    if probabilities.shape[1] == 1:
        probabilities = np.pad(probabilities, ((0, 0), (0, 1)))
    labels = labels[:, np.newaxis]
    return {
        tfma.ARROW_RECORD_BATCH_KEY: pa.RecordBatch.from_pydict({"label": labels[:, 0]}),  # TFMA counts its bytes
        tfma.FEATURES_KEY: {
            **{name: values[:, np.newaxis] for name, values in slices.items()},
            "class": labels,
            MODEL: np.full_like(labels, model),
        },
        tfma.LABELS_KEY: labels,
        tfma.PREDICTIONS_KEY: probabilities,
    }


def _metrics(slice_key: SliceKey, metrics: dict[Any, Any]) -> Figures:
    values = {key.name: value for key, value in metrics.items()}
    (matrix,) = values.pop(_CONFUSION).values()
    count = float(sum(matrix.values()))
    cross_entropy = _rounded(values.pop("cross_entropy"))
    shares = {metric: _share(fraction, count) for metric, fraction in values.items()}
    return Figures(
        *_model_and_slice(slice_key),
        values={"example_count": count, **shares, "cross_entropy": cross_entropy},
        confusion=tuple(sorted((int(true), int(answer), int(number)) for (true, answer), number in matrix.items())),
    )


def _model_and_slice(slice_key: SliceKey) -> tuple[int, SliceKey]:
    return dict(slice_key)[MODEL], tuple(part for part in slice_key if part[0] != MODEL)


def _share(fraction: Any, count: float) -> float:
    """Rounds a fraction to whole images: Keras divides in float32, where 7 of 10 are less than 0.7."""
    return round(float(fraction) * count) / count


def _rounded(value: Any) -> float:
    """Drops the last digits, which depend on the order in which the workers finish and sums are taken."""
    return float(f"{float(value):.{_SIGNIFICANT_DIGITS}g}")
