"""Builds the Beam graph from shards to figures, with TensorFlow Model Analysis (TFMA) on the same graph.

TFMA's own extractors would take predictions as Arrow records and pass them, row by row, through five stages. Here
predictions are summed by slice as they are made: only TFMA's merging of sums and its metrics are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis.proto import config_pb2

from components.evaluate.prediction import Predicted, Predictions, Shard, not_finite_count, predict
from components.evaluate.sums import CONFUSION, SUMS_KEY, MergedSums, Scores, Sums

MODEL = "model being judged"  # a name that no feature of a dataset has
CANDIDATE, BASELINE = 0, 1

SliceKey = tuple[tuple[str, Any], ...]  # () is all images, (("class", 6),) is class 6


@dataclass(frozen=True)
class Figures:
    """The metrics that TFMA found in one slice."""

    model: int  # CANDIDATE or BASELINE
    slice: SliceKey
    values: dict[str, float]
    confusion: tuple[tuple[int, int, int], ...] = ()  # of all images: (true class, predicted class, examples)


def scan(shards: beam.PCollection, top_k: int) -> beam.PCollection:
    """Builds the graph that gives one `Predicted` a shard, and one `Figures` for each slice and model."""
    predictions = shards | "Predict" >> beam.ParDo(_predictions).with_outputs("predicted", main="predictions")
    figures = predictions.predictions | "Analyze" >> Analyze(top_k)
    return (predictions.predicted, figures) | "AllFound" >> beam.Flatten()


def _predictions(shard: Shard) -> Iterator[Any]:
    """Yields the shard's `Predictions`; tagged "predicted": `Predicted`."""
    found = predict(shard)
    bad = not_finite_count(found.probabilities)
    yield beam.pvalue.TaggedOutput("predicted", Predicted(shard.file.name, len(found.labels), bad))
    yield found


class Analyze(beam.PTransform):
    """The graph from `Predictions` of some images each to one `Figures` for each slice and model."""

    def __init__(self, top_k: int) -> None:
        super().__init__()
        self._top_k = top_k

    def expand(self, predictions: beam.PCollection) -> beam.PCollection:
        """Builds the graph. Slice keys come ready with the sums: what TFMA would slice by is no config of it."""
        specs = tfma.metrics.specs_from_metrics(
            [MergedSums(self._top_k)], include_example_count=False, include_weighted_example_count=False
        )
        config = config_pb2.EvalConfig(model_specs=[config_pb2.ModelSpec()], metrics_specs=specs)
        (evaluator,) = tfma.default_evaluators(eval_config=config)
        sums = predictions | "Sum" >> beam.FlatMap(extracts, self._top_k)
        evaluation = sums | evaluator.stage_name >> evaluator.ptransform
        return evaluation[tfma.METRICS_KEY] | "Figures" >> beam.MapTuple(_figures)


def extracts(predictions: Predictions, top_k: int) -> Iterator[dict[str, Any]]:
    """Yields TFMA's extracts: the sums of each slice that has images, under the key of the slice and the model.

    Whether there is a baseline is not known when the graph is built. So TFMA sees the model (CANDIDATE or BASELINE) as
    one more feature that is sliced by. Classes go by number: their names may hold any characters.
    """
    for model, probabilities in (
        (CANDIDATE, predictions.probabilities),
        (BASELINE, predictions.baseline_probabilities),
    ):
        if probabilities is None:
            continue
        scores = Scores.of(predictions.labels, probabilities, top_k)
        yield _extract(((MODEL, model),), scores.total())
        columns: Mapping[str, NDArray[Any]] = {"class": predictions.labels, **predictions.slices}
        for name, values in columns.items():
            for value, sums in scores.by(values):
                yield _extract(((MODEL, model), (name, value)), sums)


def _extract(key: SliceKey, sums: Sums) -> dict[str, Any]:
    return {tfma.SLICE_KEY_TYPES_KEY: [key], SUMS_KEY: sums}


def _figures(slice_key: SliceKey, metrics: dict[Any, Any]) -> Figures:
    values = {key.name: value for key, value in metrics.items()}
    pairs = values.pop(CONFUSION)
    (_, model), *rest = slice_key
    return Figures(model, tuple(rest), values, tuple((*pair, count) for pair, count in sorted(pairs.items())))
