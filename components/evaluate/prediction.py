"""Predicts a shard with the model's SavedModel and its baseline's, and stores the predictions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components import dataset_reader
from components.artifacts import Examples, Model
from components.component import ComponentError
from components.evaluate.known_predictions import DIGEST, PROBABILITIES, digests, known_predictions
from components.evaluate.properties import measured, slice_values
from components.file_exchange import FileExchange
from components.files import write_arrays
from components.images.resize import crop_and_resize
from components.registry.versions import Version

# Columns in the file.
_LABEL, _PROBABILITIES, _DIGEST = "label", PROBABILITIES, DIGEST
_BASELINE, _SLICE = "baseline_probabilities", "slice_"
_COLUMN = "column "  # prefix of the names of columns to slice by: a feature of the dataset may be called "label"
_SUM_TOLERANCE = 1e-2  # a softmax in float16 is off by a few thousandths


@dataclass(frozen=True)
class Shard:
    """Consecutive examples of the test split, and the file for their predictions."""

    examples: Examples
    model: Model
    slice: str  # in TFDS's syntax
    batch_size: int
    file: Path
    baseline: Version | None = None  # of the same classes
    slice_by: tuple[str, ...] = ()
    features: tuple[str, ...] = ()  # features of the dataset to slice by
    known_slices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of each example, known beforehand
    baseline_predictions: Path | None = None  # the folder of what the baseline said when it was evaluated
    exchange: FileExchange = field(default_factory=FileExchange)


@dataclass(frozen=True)
class Predicted:
    """The file of one predicted shard, and the number of its examples."""

    file: str
    example_count: int
    not_finite_count: int  # examples with a probability that is not a finite number


class Predictions(NamedTuple):
    """The predictions for n images, in the stored order."""

    labels: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, classes)
    baseline_probabilities: NDArray[np.float32] | None  # (n, classes)
    slices: dict[str, NDArray[np.str_]]  # the slice of each image, (n,), by property or feature


class Classifier(NamedTuple):
    """A loaded SavedModel, with its signature `serving_default`."""

    signature: Any  # `serving_default`: image=uint8 (n, height, width, 3) -> {"probabilities": float32 (n, classes)}
    loaded: Any  # kept alive here, because the signature does not work without it


_LOADING = threading.Lock()


def load_classifier(saved_model: Path) -> Classifier:
    """Loads a SavedModel once per process and folder, whatever the number of threads."""
    with _LOADING:
        return _load_classifier(saved_model)


@functools.lru_cache(maxsize=2)  # a model and its baseline
def _load_classifier(saved_model: Path) -> Classifier:
    loaded = tf.saved_model.load(str(saved_model))
    return Classifier(loaded.signatures["serving_default"], loaded)


def predict(shard: Shard) -> Predictions:
    """Predicts the shard's images with the model and its baseline; writes the predictions and returns them."""
    batches = list(_predict_batches(shard))
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    seen = {name.removeprefix(_COLUMN): column for name, column in columns.items() if name.startswith(_COLUMN)}
    slices = {**slice_values(shard.slice_by, seen, shard.examples), **shard.known_slices}
    predictions = Predictions(
        labels=columns[_LABEL],
        probabilities=columns[_PROBABILITIES],
        baseline_probabilities=columns.get(_BASELINE),
        slices={name: np.array(values) for name, values in slices.items()},
    )
    _check_labels(predictions.labels, shard.examples)
    _check_probabilities(predictions.probabilities, shard)
    _write(shard.file, predictions, columns[_DIGEST])
    shard.exchange.put(shard.file)
    return predictions


def _predict_batches(shard: Shard) -> Iterator[dict[str, NDArray[Any]]]:
    """Yields batches of columns: labels, probabilities, digests, properties of the images, and features."""
    classify = load_classifier(shard.model.saved_model).signature
    for inputs, columns in _read(shard).batch(shard.batch_size).prefetch(1):
        images = inputs[_PROBABILITIES]
        found = {name: tensor.numpy() for name, tensor in columns.items()}
        found[_PROBABILITIES] = classify(image=images)["probabilities"].numpy()
        found[_DIGEST] = digests(images.numpy())
        if shard.baseline:
            found[_BASELINE] = _baseline_probabilities(shard.baseline, shard.baseline_predictions, inputs[_BASELINE])
        yield found


def _baseline_probabilities(baseline: Version, known: Path | None, images: tf.Tensor) -> NDArray[np.float32]:
    """Returns what the baseline says of the images; its network is asked for those that are not known."""
    rows = known_predictions(known).find(digests(images.numpy())) if known else {}
    new = [index for index in range(len(images)) if index not in rows]
    if new:
        classify = load_classifier(baseline.folder).signature
        rows |= zip(new, classify(image=tf.gather(images, new))["probabilities"].numpy(), strict=True)
    return np.stack([rows[index] for index in range(len(images))])


@dataset_reader.plain
def _read(shard: Shard) -> tf.data.Dataset:
    """Reads ({model: the image as that model takes it}, {column: its value})."""
    sizes = {_PROBABILITIES: (shard.model.image_height, shard.model.image_width)}
    if shard.baseline:
        sizes[_BASELINE] = (shard.baseline.image_height, shard.baseline.image_width)

    def inputs_and_columns(image: tf.Tensor, label: tf.Tensor, features: dict[str, tf.Tensor]) -> tuple[Any, Any]:
        inputs = {name: crop_and_resize(image, *size) for name, size in sizes.items()}
        columns = {_COLUMN + name: value for name, value in {**measured(image), **features}.items()}
        return inputs, {_LABEL: tf.cast(label, tf.int64), **columns}

    dataset = dataset_reader.read_with_features(shard.examples, shard.slice, shard.features)
    return dataset.map(inputs_and_columns, num_parallel_calls=tf.data.AUTOTUNE)


def _check_labels(labels: NDArray[np.int64], examples: Examples) -> None:
    foreign = (labels < 0) | (labels >= len(examples.class_names))
    if foreign.any():
        raise ComponentError(
            f"Label {labels[foreign][0]} in the test split names no class: expected 0 to "
            f"{len(examples.class_names) - 1}. Is ingest's label_key ({examples.label_key}) the right one?"
        )


def _check_probabilities(probabilities: NDArray[np.float32], shard: Shard) -> None:
    """Raises ComponentError if finite values are no probabilities. Values that are not finite are left to the gate."""
    finite = probabilities[np.isfinite(probabilities).all(axis=1)]
    sums = finite.sum(axis=1)
    wrong = (finite < 0).any(axis=1) | (abs(sums - 1) > _SUM_TOLERANCE)
    if wrong.any():
        raise ComponentError(
            f"serving_default of {shard.model.saved_model} gives values from {finite.min():.3g} to {finite.max():.3g} "
            f"that add up to {sums[wrong][0]:.3g} for an image of {shard.slice}: no probabilities. "
            "Does the model end with a softmax?"
        )


def not_finite_count(probabilities: NDArray[np.float32]) -> int:
    """Returns the number of rows that hold a value that is not a finite number."""
    return int((~np.isfinite(probabilities).all(axis=1)).sum())


def read_predictions(folder: Path) -> Predictions:
    """Reads the predictions of all shards into memory, in the split's order.

    50,000 images of 1,000 classes take 200 MB for each model.
    """
    shards = [np.load(file) for file in sorted(folder.glob("*.npz"))]
    columns = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0].files}
    return Predictions(
        labels=columns[_LABEL],
        probabilities=columns[_PROBABILITIES],
        baseline_probabilities=columns.get(_BASELINE),
        slices={name.removeprefix(_SLICE): columns[name] for name in columns if name.startswith(_SLICE)},
    )


def _write(file: Path, predictions: Predictions, image_digests: NDArray[np.uint8]) -> None:
    """Writes a file that appears whole or not at all; a second write gives the same file."""
    columns: dict[str, Any] = {
        _LABEL: predictions.labels,
        _PROBABILITIES: predictions.probabilities,
        _DIGEST: image_digests,
    }
    if predictions.baseline_probabilities is not None:
        columns[_BASELINE] = predictions.baseline_probabilities
    columns |= {_SLICE + name: values for name, values in predictions.slices.items()}
    write_arrays(file, columns)
