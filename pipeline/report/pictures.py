"""The images of a page. Only images that the page shows are encoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.artifacts import Examples, Model
from components.chosen_images import chosen_slice
from components.dataset_reader import read_chosen_resized, read_resized
from components.images.small_picture import SmallPicture, encode

AVERAGED_IMAGES = 2000
SUMMED_IMAGES = 100  # at once
MEAN_PICTURE_CLASSES = 24  # if there are more, only the most frequent classes
LEAST_AVERAGED_IMAGES = 10  # a mean of fewer would show the images themselves
UNREADABLE = (OSError, tf.errors.OpError)  # what reading raises if a dataset is gone or damaged


class MeanPictures(NamedTuple):
    """The mean of training images, over all classes and for single classes."""

    overall: SmallPicture
    by_class: dict[str, SmallPicture]


def pictures_by_index(examples: Examples, model: Model, indices: Iterable[int]) -> dict[int, SmallPicture]:
    """Returns images of the test split by their index in it, cropped and resized as the model sees them."""
    wanted = np.unique(np.fromiter(indices, np.int64))
    if not len(wanted):
        return {}
    slice_, chosen = chosen_slice(examples, "test", wanted)
    images = read_chosen_resized(examples, slice_, chosen, model.image_height, model.image_width).as_numpy_iterator()
    return {int(index): encode(image) for index, image in zip(wanted, images, strict=True)}


def mean_pictures(examples: Examples, model: Model, class_counts: Sequence[int]) -> MeanPictures:
    """Returns the mean of the first 2,000 training images, and the mean of each class with at least 10 of them.

    At most 24 classes are shown, the most frequent by `class_counts` of the training split.
    """
    shape = (model.image_height, model.image_width)
    chosen = sorted(np.argsort(-np.asarray(class_counts), kind="stable")[:MEAN_PICTURE_CLASSES].tolist())
    places = {label: place for place, label in enumerate(chosen, start=1)}  # at 0 is the mean of all
    sums, counts = np.zeros((len(chosen) + 1, *shape, 3)), np.zeros(len(chosen) + 1)
    dataset = read_resized(examples, examples.splits["train"], *shape).take(AVERAGED_IMAGES).batch(SUMMED_IMAGES)
    for images, labels in dataset.as_numpy_iterator():
        of_classes = [(place, labels == label) for label, place in places.items()]
        for place, which in [(0, np.full(len(labels), True)), *of_classes]:
            sums[place] += images[which].sum(axis=0)
            counts[place] += which.sum()
    means = np.round(sums / np.maximum(counts, 1)[:, None, None, None]).astype(np.uint8)
    by_class = {
        examples.class_names[label]: encode(means[place])
        for label, place in places.items()
        if counts[place] >= LEAST_AVERAGED_IMAGES
    }
    return MeanPictures(encode(means[0]), by_class)
