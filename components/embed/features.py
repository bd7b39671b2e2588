"""Computes the features of each shard's images and their mirror images, and writes them as one file a shard."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components import dataset_reader
from components.artifacts import Embeddings, Examples
from components.backbone.efficientnet_lite import EfficientNetLite
from components.backbone.weights import weights_digest
from components.batch_size import max_batch_size
from components.component import ComponentError, Workspace
from components.embed import Backbone, EmbedConfig
from components.files import write_arrays

MOST_IMAGES = 100  # computed at once
SPLITS = ("train", "validation")  # what is trained and calibrated on
_LOADING = threading.Lock()


@dataclass(frozen=True)
class Shard:
    """Consecutive images of one split, and the file for their vectors."""

    examples: Examples  # without the class names
    split: str
    slice: str  # in TFDS's syntax
    file: Path
    backbone: Backbone
    image_size_pixels: int


@dataclass(frozen=True)
class Embedded:
    """What was computed of one shard."""

    split: str
    images: int
    not_finite: int  # images with a feature that is not a finite number


def plan(
    workspace: Workspace, examples: Examples, backbone: Backbone, image_size_pixels: int, config: EmbedConfig
) -> Iterator[Shard]:
    """Yields the shards of every split that is embedded."""
    nameless = examples.model_copy(update={"class_names": ()})
    folder = workspace.folder / Embeddings.VECTORS
    folder.mkdir(exist_ok=True)
    for split in filter(examples.splits.__contains__, SPLITS):
        spans = dataset_reader.shard_spans(examples, split, config.shard_examples)
        for index, span in enumerate(spans):
            file = folder / f"{split}-{index:05d}-of-{len(spans):05d}.npz"
            yield Shard(nameless, split, span.slice, file, backbone, image_size_pixels)


def scan(shards: beam.PCollection) -> beam.PCollection:
    """Builds the graph that gives one `Embedded` for each shard."""
    return shards | "Embed" >> beam.Map(embed_shard)


def embed_shard(shard: Shard) -> Embedded:
    """Writes the file of one shard: the same bytes, however often it is written."""
    labels, centers, mirrors = zip(*_batches(shard), strict=True)
    columns = {name: np.concatenate(parts) for name, parts in zip(_COLUMNS, (labels, centers, mirrors), strict=True)}
    write_arrays(shard.file, columns)
    finite = np.isfinite(columns["center"]).all(axis=1) & np.isfinite(columns["mirror"]).all(axis=1)
    return Embedded(shard.split, len(finite), int((~finite).sum()))


_COLUMNS = ("label", "center", "mirror")


def _batches(shard: Shard) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16], NDArray[np.float16]]]:
    """Yields labels (n,), and the features of the images and of their mirror images, (n, features)."""
    embed = _embedder(shard.backbone)
    size = shard.image_size_pixels
    images = dataset_reader.read_resized(shard.examples, shard.slice, size, size)
    for batch, labels in images.batch(max_batch_size(size, size, MOST_IMAGES)).prefetch(1):
        center, mirror = (embed(views).numpy().astype(np.float16) for views in (batch, tf.reverse(batch, axis=[2])))
        yield labels.numpy().astype(np.int64), center, mirror


def _embedder(backbone: Backbone) -> Any:
    """Returns a function from uint8 (n, height, width, 3) to features float32 (n, features); one a process."""
    with _LOADING:
        return _load_embedder(backbone)


@functools.lru_cache(maxsize=1)
def _load_embedder(backbone: Backbone) -> Any:
    network = EfficientNetLite(backbone)
    return tf.function(
        lambda images: network(tf.cast(images, tf.float32)),
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
        autograph=False,
    )


def gather(
    workspace: Workspace, results: list[Embedded], examples: Examples, backbone: Backbone, image_size_pixels: int
) -> Embeddings:
    """Makes the Embeddings. Raises ComponentError if not every image was embedded exactly once, or a vector is bad."""
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.split] += result.images
    expected = {split: count for split, count in examples.example_counts.items() if split in SPLITS and count}
    if dict(counts) != expected:
        raise ComponentError(f"Vectors were computed for {dict(counts)} images; expected {expected}. Run again.")
    if not_finite := sum(result.not_finite for result in results):
        raise ComponentError(
            f"The features of {not_finite} images are not finite numbers: {backbone}'s weights do not fit this "
            "machine's arithmetic. Choose another embed.backbone."
        )
    return Embeddings(
        folder=workspace.folder,
        backbone=backbone,
        weights_digest=weights_digest(backbone),
        image_size_pixels=image_size_pixels,
        image_counts=dict(sorted(counts.items())),
    ).write()
