"""Shows people what augmentation does to images. It is no part of training: a look never retrains anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.artifacts import Examples
from components.dataset_reader import read_encoded, read_resized, shard_spans
from components.train import TrainConfig
from components.train.augmentation import augment, draw
from components.train.random_crop import decode_window
from components.train.training import image_size


class Preview(NamedTuple):
    """Images uint8 (n, height, width, 3), 0-255, and their labels int64 (n,)."""

    images: np.ndarray  # as the network sees them after training
    augmented: np.ndarray  # as it sees them in training
    labels: np.ndarray


def preview(config: TrainConfig, examples: Examples, split: str, count: int, seed: int) -> Preview:
    """Returns at most `count` images of a split ("train", "validation", "test"), drawn and augmented by `seed`."""
    config = config.resolved(examples)
    singles = shard_spans(examples, split, examples_per_shard=1)
    drawn = np.random.default_rng(seed).permutation(len(singles))[:count]
    slice_ = "+".join(singles[index].slice for index in drawn)
    size = image_size(config, examples)
    images, labels = zip(*read_resized(examples, slice_, *size).as_numpy_iterator(), strict=True)
    pixels = np.stack(images)
    taken = pixels
    if config.random_crop_area_fraction is not None:
        stored = enumerate(read_encoded(examples, slice_).as_numpy_iterator())
        windows = [
            decode_window(data, (seed, index), config.random_crop_area_fraction, *size) for index, (data, _) in stored
        ]
        taken = np.stack(windows)
    mirrored = np.zeros(len(pixels), bool)
    if config.flip != "none":
        mirrored = tf.random.stateless_uniform((len(pixels),), (seed, 0), 0, 2, tf.int32) == 1
    count, height, width, _ = pixels.shape
    draws = draw(count, height, width, tf.constant((seed, 1)), config.crop_padding_pixels, config.cutout_pixels)
    augmented = augment(tf.constant(taken), tf.constant(mirrored), draws, config.cutout_pixels)
    return Preview(pixels, tf.saturate_cast(tf.round(augmented), tf.uint8).numpy(), np.array(labels))
