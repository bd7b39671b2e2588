"""Reads batches of stored images: from memory if they fit, else from the files."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.artifacts import Examples
from components.batch_size import max_batch_size
from components.component import ComponentError
from components.dataset_reader import decode_resized, file_spans, plain, stored_bytes_per_example
from components.stored_records import read_spans
from components.train.devices import WHOLE, Share
from components.train.lane_reader import LaneReader
from components.train.lanes import lane_count, order_of_lanes, own_lanes
from components.train.random_crop import decode_window
from components.untuned import untuned

logger = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 500
PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Batches:
    """The images of one split, cropped and resized to one size."""

    count: int  # images

    def epoch(
        self,
        epoch: int,
        batch_size: int,
        seed: int,
        first_batch: int = 0,
        share: Share = WHOLE,
        left_out: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Returns the split in an order that depends only on `seed` and `epoch`, without the images that fill no batch.

        It has images uint8 (n, height, width, 3), labels int64 (n,), and the images' indices in the split, int64 (n,):
        n is `share.size(batch_size)`. Batches before `first_batch` and other shares are not decoded. Images that are
        `left_out`, bool (count,), at most half of them, are replaced by second turns of others.
        """
        raise NotImplementedError

    def in_order(self) -> tf.data.Dataset:
        """Returns all of the split, as stored: images uint8 (n, height, width, 3), labels int64 (n,)."""
        raise NotImplementedError

    def require_disk(self, batch_size: int, share: Share) -> None:
        """Raises ComponentError if epochs would have more on this machine's disk than the config allows."""


def batches(
    examples: Examples,
    split: str,
    image_height: int,
    image_width: int,
    max_cache_megabytes: int,
    random_crop_area_fraction: tuple[float, float] | None = None,
) -> Batches:
    """Returns a split, held in memory if its decoded pixels fit the limit, else streamed with a buffer of that size.

    If random windows of the images are asked for, it is streamed: each epoch decodes other windows.
    """
    count = examples.example_counts[split]
    image_bytes = image_height * image_width * 3
    memory_bytes = max_cache_megabytes * 1_000_000
    if random_crop_area_fraction is None and count * image_bytes <= memory_bytes:
        _refuse_small_disk(examples, 1)
        return _load(examples, split, image_height, image_width)
    logger.info("%s: %d images are streamed, with a buffer of %d MB", split, count, max_cache_megabytes)
    # The buffer holds stored files, which may be smaller or larger than the images decoded from them.
    max_bytes = max(image_bytes, stored_bytes_per_example(examples, split))
    buffered_images = max(memory_bytes // max_bytes, 1)
    return StreamedBatches(
        count, examples, split, image_height, image_width, buffered_images, random_crop_area_fraction
    )


def _refuse_small_disk(examples: Examples, readers: int) -> None:
    streamed = examples.streamed
    if streamed is None or (needed := readers * streamed.largest_bytes) <= streamed.max_bytes:
        return
    raise ComponentError(
        f"train.max_disk_megabytes leaves {streamed.max_bytes / 1e6:.2f} MB for files of {streamed.url}, of which "
        f"{readers} of up to {streamed.largest_bytes / 1e6:.2f} MB each are read at once. Set it to at least "
        f"{needed // 1_000_000 + 2}, or to {3 * needed // 1_000_000 + 2}, so that files are fetched ahead."
    )


@dataclass(frozen=True)
class CachedBatches(Batches):
    """A split in memory."""

    images: tf.Tensor  # uint8 (count, height, width, 3)
    labels: tf.Tensor  # int64 (count,)

    @plain
    def epoch(
        self,
        epoch: int,
        batch_size: int,
        seed: int,
        first_batch: int = 0,
        share: Share = WHOLE,
        left_out: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Returns the epoch in a uniform permutation. See `Batches`."""
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), (seed, epoch))
        if left_out is not None:
            kept = tf.boolean_mask(order, tf.gather(~left_out, order))
            again = tf.random.experimental.stateless_shuffle(kept, (seed, -epoch - 1))
            order = tf.concat((kept, again), 0)[: self.count]
        indices = untuned(tf.data.Dataset.from_tensor_slices(order)).batch(batch_size, drop_remainder=True)

        def gather(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
            (own,) = share.of(index)
            return tf.gather(self.images, own), tf.gather(self.labels, own), own

        return indices.skip(first_batch).map(gather).prefetch(PREFETCHED_BATCHES)

    def in_order(self) -> tf.data.Dataset:
        """Returns all of the split. See `Batches`."""
        size = max_batch_size(self.images.shape[1], self.images.shape[2], EVALUATION_BATCH_SIZE)
        return untuned(tf.data.Dataset.from_tensor_slices((self.images, self.labels))).batch(size)


@dataclass(frozen=True)
class StreamedBatches(Batches):
    """A split that is read, decoded, cropped and resized in parallel, again in each epoch."""

    examples: Examples
    split: str
    image_height: int
    image_width: int
    buffered_images: int
    random_crop_area_fraction: tuple[float, float] | None = None  # None: the largest centered window

    @plain
    def epoch(
        self,
        epoch: int,
        batch_size: int,
        seed: int,
        first_batch: int = 0,
        share: Share = WHOLE,
        left_out: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Returns the epoch. See `Batches`. `components.train.lanes` tells its order."""
        files = file_spans(self.examples, self.split)
        lanes = lane_count(batch_size, len(files))
        order = order_of_lanes(files, batch_size, lanes, np.random.default_rng((seed, epoch)), left_out)
        seeds = [epoch_seed(seed, epoch, lane + 1) for lane in range(lanes)]
        reader = LaneReader(self.examples, files, order, seeds, self.buffered_images, left_out)
        dataset = reader.read(batch_size, first_batch, share)
        drawn = epoch_seed(seed, epoch)
        dataset = dataset.map(
            lambda data, label, index: (self._decode(data, (drawn, index)), label, index),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return dataset.batch(share.size(batch_size), drop_remainder=True).prefetch(PREFETCHED_BATCHES)

    def require_disk(self, batch_size: int, share: Share) -> None:
        """Says how a split in object storage is read, and raises ComponentError as `Batches` says."""
        lanes = lane_count(batch_size, len(file_spans(self.examples, self.split)))
        own = own_lanes(share, lanes)
        _refuse_small_disk(self.examples, len(own.numbers))
        if own.share.count > 1:
            logger.warning(
                "%d workers cannot share %d lanes of files: each file is read by %d of them. Name %d workers in "
                "TF_CONFIG, or make train.batch_size a multiple of 8, so that there are up to 8 lanes.",
                share.count,
                lanes,
                own.share.count,
                lanes,
            )

    def in_order(self) -> tf.data.Dataset:
        """Returns all of the split. See `Batches`."""
        size = max_batch_size(self.image_height, self.image_width, EVALUATION_BATCH_SIZE)
        stored = read_in_order(self.examples, self.split, self.image_height, self.image_width)
        return stored.batch(size).prefetch(PREFETCHED_BATCHES)

    def _decode(self, data: tf.Tensor, seed: tuple[int, tf.Tensor]) -> tf.Tensor:
        if self.random_crop_area_fraction is None:
            return decode_resized(self.examples, data, self.image_height, self.image_width)
        return decode_window(data, tf.stack(seed), self.random_crop_area_fraction, self.image_height, self.image_width)


def epoch_seed(seed: int, epoch: int, part: int = 0) -> int:
    """Returns a seed of 63 bits for one epoch, or a part of it: no two triples of numbers share one but by chance."""
    return int(np.random.SeedSequence((seed, epoch, part)).generate_state(1, np.uint64)[0] >> np.uint64(1))


@plain
def read_in_order(examples: Examples, split: str, height: int, width: int) -> tf.data.Dataset:
    """Reads (image uint8 (height, width, 3), label int64 ()) of a split, as stored, cropped and resized if need be."""
    encoded = read_spans(examples, [file_spans(examples, split)])(0)
    return encoded.map(
        lambda data, label: (decode_resized(examples, data, height, width), label), num_parallel_calls=tf.data.AUTOTUNE
    )


def _load(examples: Examples, split: str, image_height: int, image_width: int) -> CachedBatches:
    count = examples.example_counts[split]
    images = np.empty((count, image_height, image_width, 3), np.uint8)
    labels = np.empty(count, np.int64)
    start = 0
    size = max_batch_size(image_height, image_width, EVALUATION_BATCH_SIZE)
    dataset = read_in_order(examples, split, image_height, image_width).batch(size)
    for batch_images, batch_labels in dataset.as_numpy_iterator():
        stop = start + len(batch_labels)
        images[start:stop], labels[start:stop] = batch_images, batch_labels
        start = stop
    return CachedBatches(count, tf.constant(images), tf.constant(labels))
