"""Reads lanes of stored images (`components.train.lanes`): of each file that a worker needs, and of no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.artifacts import Examples
from components.dataset_reader import Span, plain
from components.stored_records import read_spans
from components.train.devices import Share
from components.train.lanes import own_lanes, stretches
from components.untuned import untuned

BLOCKS_IN_MEMORY = 3  # of each lane: one is read out, the next is put together and then copied in its new order

Images = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # data string (n,), label int64 (n,), index in the split int64 (n,)


@dataclass(frozen=True)
class LaneReader:
    """The lanes of one epoch."""

    examples: Examples
    files: Sequence[Span]  # the split, cut into spans that each lie in one file
    order: NDArray[np.int64]  # (lanes, n): see `order_of_lanes`
    seeds: Sequence[int]  # of the lanes, each below 2**63
    buffered_images: int  # that all lanes may have in memory
    left_out: NDArray[np.bool_] | None = None  # (count,): images that are in none of the lanes

    @plain
    def read(self, batch_size: int, first_batch: int, share: Share) -> tf.data.Dataset:
        """Reads a share of each batch from the first one on: (data string (), label int64 (), index int64 ()).

        Of each lane, it reads what follows the block in which the first batch begins.
        """
        lanes = len(self.order)
        block = max(self.buffered_images // (BLOCKS_IN_MEMORY * lanes), 1)
        first_block, skipped = divmod(first_batch * batch_size // lanes, block)
        own = own_lanes(share, lanes)
        stored = self._stored(first_block * block, len(own.numbers))
        seeds = tf.constant(self.seeds, tf.int64)

        def read_lane(lane: tf.Tensor) -> tf.data.Dataset:
            blocks = stored(lane).batch(block).enumerate(first_block)
            shuffled = blocks.map(lambda number, images: _shuffle(images, (seeds[lane], number)))
            return shuffled.prefetch(1).unbatch().skip(skipped)

        numbers = tf.data.Dataset.from_tensor_slices(np.array(own.numbers, np.int64))
        dataset = untuned(numbers).interleave(read_lane, cycle_length=len(own.numbers), block_length=1)
        if own.share.count == 1:
            return dataset
        return dataset.batch(batch_size * len(own.numbers) // lanes).map(own.share.of).unbatch()

    def _stored(self, start: int, readers: int) -> Callable[[tf.Tensor], tf.data.Dataset]:
        """Returns a function from a lane's number to its images from `start` on, in the order of the files."""
        rows = [stretches(lane[start:], self.files) for lane in self.order]
        encoded = read_spans(self.examples, [[each.span for each in row] for row in rows], readers)
        starts = _ragged([[each.start for each in row] for row in rows])
        stops = _ragged([[each.stop for each in row] for row in rows])

        def read(lane: tf.Tensor) -> tf.data.Dataset:
            indices = tf.data.Dataset.from_tensor_slices((starts[lane], stops[lane])).flat_map(tf.data.Dataset.range)
            images = tf.data.Dataset.zip(encoded(lane), indices).map(lambda image, index: (*image, index))
            if self.left_out is None:
                return images
            return images.filter(lambda data, label, index: tf.gather(~self.left_out, index))

        return read


def _shuffle(images: Images, seed: tuple[tf.Tensor, tf.Tensor]) -> Images:
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(images[0])[0]), tf.stack(seed))
    data, label, index = (tf.gather(tensor, order) for tensor in images)
    return data, label, index


def _ragged(rows: list[list[int]]) -> tf.RaggedTensor:
    values = tf.constant([number for row in rows for number in row], tf.int64)
    return tf.RaggedTensor.from_row_lengths(values, [len(row) for row in rows])
