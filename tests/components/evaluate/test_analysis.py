"""The figures that TFMA merges, by slice, against Keras's metrics on the rows of the slice."""

from __future__ import annotations

import apache_beam as beam
import numpy as np
import pytest
import tf_keras
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from components.evaluate.analysis import BASELINE, CANDIDATE, Analyze, Figures
from components.evaluate.prediction import Predictions

SIZES = np.array(["small", "large"])


def predictions(seed: int, count: int, *, with_baseline: bool = True) -> Predictions:
    """Predictions of images in 7 classes, sliced by `size`."""
    random = np.random.default_rng(seed)
    said = random.dirichlet(np.ones(7), (2, count)).astype(np.float32)
    slices = {"size": SIZES[random.integers(0, 2, count)]}
    return Predictions(random.integers(0, 7, count), said[0], said[1] if with_baseline else None, slices)


def check(parts: list[Predictions], figures: list[Figures]) -> None:
    labels = np.concatenate([part.labels for part in parts])
    sizes = np.concatenate([part.slices["size"] for part in parts])
    slices = {(): labels >= 0}
    slices |= {(("class", int(label)),): labels == label for label in np.unique(labels)}
    slices |= {(("size", str(size)),): sizes == size for size in SIZES}
    said = {CANDIDATE: np.concatenate([part.probabilities for part in parts])}
    if parts[0].baseline_probabilities is not None:
        said[BASELINE] = np.concatenate([part.baseline_probabilities for part in parts])
    found = {(part.model, part.slice): part for part in figures}
    assert len(found) == len(figures)
    assert found.keys() == {(model, key) for model in said for key in slices}
    for (model, key), part in found.items():
        own = slices[key]
        keras = {
            "accuracy": tf_keras.metrics.SparseCategoricalAccuracy(),
            "cross_entropy": tf_keras.metrics.SparseCategoricalCrossentropy(dtype="float64"),
            "top_5_accuracy": tf_keras.metrics.SparseTopKCategoricalAccuracy(k=5),
        }
        for name, metric in keras.items():
            metric.update_state(labels[own], said[model][own])
            assert part.values[name] == pytest.approx(float(metric.result()), rel=1e-6), (model, key, name)
        assert part.values["example_count"] == own.sum()
        if key:
            assert part.confusion == ()
        else:
            pairs = np.stack((labels, said[model].argmax(axis=1)), axis=1)
            values, counts = np.unique(pairs, axis=0, return_counts=True)
            assert part.confusion == tuple((*pair, n) for pair, n in zip(values.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("with_baseline", [True, False])
def test_every_slice_of_both_models_has_the_figures_of_its_rows(with_baseline: bool) -> None:
    parts = [predictions(seed, 40, with_baseline=with_baseline) for seed in range(3)]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        figures = pipeline | beam.Create(parts) | beam.Reshuffle() | Analyze(top_k=5)
        assert_that(figures, lambda found: check(parts, found))
