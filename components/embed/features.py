"""Computes the features of the views of each shard's images, and writes them as one file a shard.

Images that an earlier attempt in the same root has embedded in the same way are neither decoded nor computed again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
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

from components import dataset_reader, vector_file
from components.artifacts import Embeddings, Examples
from components.backbone.efficientnet_lite import FEATURES, EfficientNetLite
from components.backbone.weights import weights_digest
from components.component import ComponentError, Workspace
from components.embed import Backbone, EmbedConfig, earlier
from components.embed.views import make_views, seeds_of
from components.file_exchange import FileExchange
from components.vector_file import DIGEST_BYTES, VIEWS, ShardVectors

# Images computed at once: as fast as more, and the last batch of a shard is filled up with fewer empty ones.
BATCH_PIXELS = 1 << 19
MOST_IMAGES = 32
HASHED_AT_ONCE = 16
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
    random_windows: int  # of each image
    root: Path
    index: Path | None  # of the images that were embedded before; None: there are none
    exchange: FileExchange


@dataclass(frozen=True)
class Embedded:
    """What was done for one shard."""

    split: str
    images: int
    not_finite: int  # images with a feature that is not a finite number
    computed: int  # images whose vectors no earlier attempt had


def plan(
    workspace: Workspace, examples: Examples, backbone: Backbone, image_size_pixels: int, config: EmbedConfig
) -> Iterator[Shard]:
    """Yields the shards of every split that is embedded, after looking for what was embedded before."""
    nameless = examples.model_copy(update={"class_names": ()})
    index = _index_earlier(workspace, _method(workspace, examples, backbone, image_size_pixels))
    folder = workspace.folder / Embeddings.VECTORS
    folder.mkdir(exist_ok=True)
    for split in filter(examples.splits.__contains__, config.splits):
        spans = dataset_reader.shard_spans(examples, split, config.shard_examples)
        windows = config.random_windows if split == "train" else 0
        for number, span in enumerate(spans):
            file = folder / f"{split}-{number:05d}-of-{len(spans):05d}.npz"
            how = backbone, image_size_pixels, windows, workspace.root, index, workspace.exchange
            yield Shard(nameless, split, span.slice, file, *how)


def _method(workspace: Workspace, examples: Examples, backbone: Backbone, image_size_pixels: int) -> str:
    """Returns the digest of all that decides a vector, but for the image's stored bytes and the number of its view."""
    channels = dataset_reader.stored_channels(examples)
    decides = [workspace.code_digest, backbone, weights_digest(backbone), image_size_pixels, channels]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _index_earlier(workspace: Workspace, method: str) -> Path | None:
    """Makes an index of what earlier attempts have left, unless all is to be made anew. Returns its folder."""
    earlier.note_method(workspace.folder, method)
    folder = _index_folder(workspace)
    if workspace.forced or not earlier.make_index(workspace.root, method, folder):
        return None
    workspace.exchange.put(folder / earlier.FILES, folder / earlier.TABLE)
    return folder


def _index_folder(workspace: Workspace) -> Path:
    return workspace.scratch / f"earlier-{workspace.folder.name}"


def scan(shards: beam.PCollection) -> beam.PCollection:
    """Builds the graph that gives one `Embedded` for each shard."""
    return shards | "Embed" >> beam.Map(embed_shard)


def embed_shard(shard: Shard) -> Embedded:
    """Writes the file of one shard: the same bytes, whether its vectors are computed or were computed before."""
    labels, digests = _labels_and_digests(shard)
    views = np.empty((len(labels), len(VIEWS) + shard.random_windows, FEATURES), np.float16)
    found = np.zeros(len(labels), bool)
    if shard.index is not None:
        shard.exchange.get(shard.index / earlier.FILES, shard.index / earlier.TABLE)
        found = earlier.fill_in(shard.root, shard.index, digests, views)
    if not found.all():
        views[~found] = np.concatenate(list(_computed(shard, ~found, seeds_of(digests[~found]))))
    vector_file.write(shard.file, ShardVectors(labels, digests, views))
    shard.exchange.put(shard.file)
    not_finite = (~np.isfinite(views)).any(axis=(1, 2))
    return Embedded(shard.split, len(labels), int(np.count_nonzero(not_finite)), int(np.count_nonzero(~found)))


def _labels_and_digests(shard: Shard) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Reads the labels (n,) of the shard's images, and the digests of their bytes (n, 16), without decoding them."""
    labels, digests = [], bytearray()
    stored = dataset_reader.read_encoded(shard.examples, shard.slice)
    for batch, batch_labels in stored.batch(HASHED_AT_ONCE).prefetch(1).as_numpy_iterator():
        labels.append(batch_labels)
        digests += b"".join(map(vector_file.digest, batch))
    return np.concatenate(labels).astype(np.int64), np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)


def _computed(shard: Shard, chosen: NDArray[np.bool_], seeds: NDArray[np.int64]) -> Iterator[NDArray[np.float16]]:
    """Yields the features (images, views, features) of the chosen ones of the shard's images, in batches.

    `seeds`, (chosen images,), are those of their random windows.
    """
    size = shard.image_size_pixels
    batch_size = max(1, min(MOST_IMAGES, BATCH_PIXELS // size**2))
    embed = _embedder(shard.backbone)
    for batch in _read_views(shard, chosen, seeds).batch(batch_size).prefetch(2):
        count = batch.shape[0]
        # The last bits of a vector depend on the size of the batch, and on nothing else in it: all have the same one.
        filled_up = tf.pad(batch, [[0, batch_size - count], [0, 0], [0, 0], [0, 0], [0, 0]])
        features = [embed(view).numpy() for view in tf.unstack(filled_up, axis=1)]
        yield np.stack(features, axis=1)[:count].astype(np.float16)


@dataset_reader.plain
def _read_views(shard: Shard, chosen: NDArray[np.bool_], seeds: NDArray[np.int64]) -> tf.data.Dataset:
    """Reads the views uint8 (views, height, width, 3) of the chosen images."""
    images = dataset_reader.read_chosen(shard.examples, shard.slice, chosen)
    return tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(seeds)).map(
        lambda named, seed: make_views(named[0], seed, shard.image_size_pixels, shard.random_windows),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


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
    workspace: Workspace,
    results: list[Embedded],
    examples: Examples,
    backbone: Backbone,
    image_size_pixels: int,
    splits: tuple[str, ...],
) -> Embeddings:
    """Makes the Embeddings. Raises ComponentError if not every image was embedded exactly once, or a vector is bad."""
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.split] += result.images
    expected = {split: count for split, count in examples.example_counts.items() if split in splits and count}
    if dict(counts) != expected:
        raise ComponentError(f"Vectors were computed for {dict(counts)} images; expected {expected}. Run again.")
    if not_finite := sum(result.not_finite for result in results):
        raise ComponentError(
            f"The features of {not_finite} images are not finite numbers: {backbone}'s weights do not fit this "
            "machine's arithmetic. Choose another embed.backbone."
        )
    shutil.rmtree(_index_folder(workspace), ignore_errors=True)
    return Embeddings(
        folder=workspace.folder,
        backbone=backbone,
        weights_digest=weights_digest(backbone),
        image_size_pixels=image_size_pixels,
        image_counts=dict(sorted(counts.items())),
        computed_images=sum(result.computed for result in results),
    ).write()
