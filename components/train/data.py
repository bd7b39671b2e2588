"""Batches of images as they are stored: from memory where they fit, from the files where not."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.artifacts import Examples
from components.reading import file_spans, read_resized, read_windows

logger = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 500
PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Batches:
    """One split, cropped and resized to one size."""

    count: int  # images

    def epoch(self, epoch: int, batch_size: int, seed: int) -> tf.data.Dataset:
        """The split in an order that depends on `seed` and `epoch` alone, without what does not fill a batch.

        Gives images uint8 (batch_size, height, width, 3), labels int64 (batch_size,), and the images' indices in the
        split, int64 (batch_size,).
        """
        raise NotImplementedError

    def in_order(self) -> tf.data.Dataset:
        """All of it, as stored: images uint8 (n, height, width, 3), labels int64 (n,)."""
        raise NotImplementedError


def batches(
    examples: Examples,
    split: str,
    image_height: int,
    image_width: int,
    memory_limit_megabytes: int,
    window_area_fraction: tuple[float, float] | None = None,
) -> Batches:
    """A split, held in memory if its decoded pixels are within the limit, else streamed with a buffer of that size.

    Where a random window of each image is asked for, it is streamed: each epoch decodes other windows.
    """
    count = examples.example_counts[split]
    image_bytes = image_height * image_width * 3
    images_in_memory = memory_limit_megabytes * 1_000_000 // image_bytes
    if window_area_fraction is None and count <= images_in_memory:
        return _load(examples, split, image_height, image_width)
    logger.info("%s: %d images are streamed, with a buffer of %d MB", split, count, memory_limit_megabytes)
    buffered_images = max(images_in_memory, 1)
    return StreamedBatches(count, examples, split, image_height, image_width, buffered_images, window_area_fraction)


@dataclass(frozen=True)
class CachedBatches(Batches):
    """A split in memory."""

    images: tf.Tensor  # uint8 (count, height, width, 3)
    labels: tf.Tensor  # int64 (count,)

    def epoch(self, epoch: int, batch_size: int, seed: int) -> tf.data.Dataset:
        """See `Batches`. A uniform permutation."""
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), (seed, epoch))
        indices = tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)
        dataset = indices.map(lambda index: (tf.gather(self.images, index), tf.gather(self.labels, index), index))
        return dataset.prefetch(PREFETCHED_BATCHES)

    def in_order(self) -> tf.data.Dataset:
        """See `Batches`."""
        return tf.data.Dataset.from_tensor_slices((self.images, self.labels)).batch(EVALUATION_BATCH_SIZE)


@dataclass(frozen=True)
class StreamedBatches(Batches):
    """A split that is read, decoded, cropped and resized in parallel, again in each epoch."""

    examples: Examples
    split: str
    image_height: int
    image_width: int
    buffered_images: int
    window_area_fraction: tuple[float, float] | None = None  # None: the largest centred window

    def epoch(self, epoch: int, batch_size: int, seed: int) -> tf.data.Dataset:
        """See `Batches`. The files are shuffled, and what is read of them within a buffer."""
        files = file_spans(self.examples, self.split)
        first_indices = np.cumsum([0] + [file.stop - file.start for file in files])
        order = np.random.default_rng((seed, epoch)).permutation(len(files))
        indices = np.concatenate([np.arange(first_indices[file], first_indices[file + 1]) for file in order])
        images = self._read_epoch("+".join(files[file].slice for file in order), seed + epoch)
        dataset = tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(indices))
        dataset = dataset.map(lambda image_and_label, index: (*image_and_label, index))
        dataset = dataset.shuffle(min(self.buffered_images, self.count), seed=seed + epoch)
        return dataset.batch(batch_size, drop_remainder=True).prefetch(PREFETCHED_BATCHES)

    def in_order(self) -> tf.data.Dataset:
        """See `Batches`."""
        return self._read(self.examples.splits[self.split]).batch(EVALUATION_BATCH_SIZE).prefetch(PREFETCHED_BATCHES)

    def _read_epoch(self, slice_: str, seed: int) -> tf.data.Dataset:
        if self.window_area_fraction is None:
            return self._read(slice_)
        size = (self.image_height, self.image_width)
        return read_windows(self.examples, slice_, *size, self.window_area_fraction, seed)

    def _read(self, slice_: str) -> tf.data.Dataset:
        return read_resized(self.examples, slice_, self.image_height, self.image_width)


def _load(examples: Examples, split: str, image_height: int, image_width: int) -> CachedBatches:
    count = examples.example_counts[split]
    images = np.empty((count, image_height, image_width, 3), np.uint8)
    labels = np.empty(count, np.int64)
    start = 0
    dataset = read_resized(examples, examples.splits[split], image_height, image_width).batch(EVALUATION_BATCH_SIZE)
    for batch_images, batch_labels in dataset.as_numpy_iterator():
        stop = start + len(batch_labels)
        images[start:stop], labels[start:stop] = batch_images, batch_labels
        start = stop
    return CachedBatches(count, tf.constant(images), tf.constant(labels))
