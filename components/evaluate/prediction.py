"""Predicts a shard with the SavedModel that will be served, and keeps what it predicted."""

from __future__ import annotations

import functools
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components import reading
from components.artifacts import Examples, Model
from components.component import Refusal

_SUM_TOLERANCE = 1e-2  # a softmax in float16 is off by a few thousandths


@dataclass(frozen=True)
class Shard:
    """Consecutive examples of the blessing split, and the file for what is predicted of them."""

    examples: Examples
    model: Model
    slice: str  # in TFDS's syntax
    batch_size: int
    file: Path


@dataclass(frozen=True)
class Predicted:
    """One shard's file."""

    file: str
    example_count: int
    not_finite_count: int  # examples with a probability that is not a finite number


class Classifier(NamedTuple):
    """A loaded SavedModel."""

    signature: Any  # `serving_default`: image=uint8 (n, height, width, 3) -> {"probabilities": float32 (n, classes)}
    loaded: Any  # the signature dies without it


_LOADING = threading.Lock()


def load_classifier(saved_model: Path) -> Classifier:
    """Once per process and folder, whatever the number of threads."""
    with _LOADING:
        return _load_classifier(saved_model)


@functools.lru_cache(maxsize=1)
def _load_classifier(saved_model: Path) -> Classifier:
    loaded = tf.saved_model.load(str(saved_model))
    return Classifier(loaded.signatures["serving_default"], loaded)


def predict(shard: Shard) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, int64 (n,), and probabilities, float32 (n, classes), in the stored order; also written to the file."""
    classify = load_classifier(shard.model.saved_model).signature
    images = reading.read_resized(shard.examples, shard.slice, shard.model.image_height, shard.model.image_width)
    batches = list(_predict_batches(classify, images.batch(shard.batch_size).prefetch(1)))
    labels = np.concatenate([batch_labels for batch_labels, _ in batches])
    probabilities = np.concatenate([batch_probabilities for _, batch_probabilities in batches])
    _check_labels(labels, shard.examples)
    _check_probabilities(probabilities, shard)
    _write(shard.file, labels, probabilities)
    return labels, probabilities


def _predict_batches(
    classify: Any, batches: tf.data.Dataset
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for images, labels in batches:
        yield labels.numpy().astype(np.int64), classify(image=images)["probabilities"].numpy().astype(np.float32)


def _check_labels(labels: NDArray[np.int64], examples: Examples) -> None:
    foreign = (labels < 0) | (labels >= len(examples.class_names))
    if foreign.any():
        raise Refusal(
            f"Label {labels[foreign][0]} in the blessing split names no class: expected 0 to "
            f"{len(examples.class_names) - 1}. Is ingest's label_key ({examples.label_key}) the right one?"
        )


def _check_probabilities(probabilities: NDArray[np.float32], shard: Shard) -> None:
    """Numbers that are not finite are left to the gate: the training went wrong, the model can still be described."""
    finite = probabilities[np.isfinite(probabilities).all(axis=1)]
    sums = finite.sum(axis=1)
    wrong = (finite < 0).any(axis=1) | (abs(sums - 1) > _SUM_TOLERANCE)
    if wrong.any():
        raise Refusal(
            f"serving_default of {shard.model.saved_model} gives values from {finite.min():.3g} to {finite.max():.3g} "
            f"that add up to {sums[wrong][0]:.3g} for an image of {shard.slice}: no probabilities. "
            "Does the model end with a softmax?"
        )


def not_finite_count(probabilities: NDArray[np.float32]) -> int:
    """How many rows have a value that is not a finite number."""
    return int((~np.isfinite(probabilities).all(axis=1)).sum())


def read_predictions(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels (n,) and probabilities (n, classes) of all shards, in the split's order."""
    shards = [np.load(file) for file in sorted(folder.glob("*.npz"))]
    labels, probabilities = (np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities"))
    return labels, probabilities


def _write(file: Path, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
    """Appears whole or not at all; done twice it is the same file."""
    unfinished = file.with_name(f".{uuid.uuid4().hex}.npz")
    np.savez(unfinished, label=labels, probabilities=probabilities)
    os.replace(unfinished, file)
