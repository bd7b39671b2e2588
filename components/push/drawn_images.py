"""Draws images evenly from a split, always the same ones, and reads them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.artifacts import Examples
from components.batch_size import max_batch_size
from components.dataset_reader import decode_resized, plain, read_encoded
from components.push.batches import BATCH_IMAGES

SEED = 0


def drawn_evenly(count: int, most: int) -> np.ndarray:
    """Returns sorted indices int64 (n,) of `most` of `count` images, or of all if they are fewer; always the same ones.

    One is drawn by chance from each of `most` equal parts. A fixed step between them could meet every tenth class only,
    where classes take turns.
    """
    if count <= most:
        return np.arange(count)
    bounds = np.arange(most + 1) * count // most
    return np.random.default_rng(SEED).integers(bounds[:-1], bounds[1:])


def count_images(examples: Examples, split: str) -> int:
    """Returns the number of images in a split ("train", "validation" or "test")."""
    return int(read_encoded(examples, examples.splits[split]).cardinality())


@plain
def read_drawn(examples: Examples, split: str, drawn: np.ndarray, height: int, width: int) -> tf.data.Dataset:
    """Reads batches of (images uint8 (n, height, width, 3), labels int64 (n,)); other images are not decoded.

    `drawn` are sorted indices of images of the split ("train", "validation" or "test").
    """
    is_drawn = tf.constant(np.isin(np.arange(drawn[-1] + 1), drawn))
    return (
        read_encoded(examples, examples.splits[split])
        .take(len(is_drawn))
        .enumerate()
        .filter(lambda index, _: is_drawn[index])
        .map(
            lambda _, example: (decode_resized(examples, example[0], height, width), example[1]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(max_batch_size(height, width, BATCH_IMAGES))
        .prefetch(1)
    )
