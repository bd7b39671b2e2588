"""The images of a page as data URIs. Only images that the page shows are encoded."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from components.artifacts import Examples, Model
from components.dataset_reader import read_resized, shard_spans

LARGEST_SIDE_PIXELS = 112
LOSSLESS_SIDE_PIXELS = 64  # larger images are encoded as JPEG
JPEG_QUALITY = 82
AVERAGED_IMAGES = 2000
MEAN_PICTURE_CLASSES = 24  # if there are more, only the most frequent classes
LEAST_AVERAGED_IMAGES = 10  # a mean of fewer would show the images themselves
UNREADABLE = (OSError, tf.errors.OpError)  # what reading raises if a dataset is gone or damaged


class Picture(NamedTuple):
    """One image for a page, as a data URI with its size."""

    uri: str
    width: int  # pixels
    height: int


class MeanPictures(NamedTuple):
    """The mean of training images, over all classes and for single classes."""

    overall: Picture
    by_class: dict[str, Picture]


def encode(pixels: np.ndarray) -> Picture:
    """Returns an image, uint8 (height, width, 3), 0-255, RGB, as a data URI.

    It is scaled down to at most 112 pixels a side, and encoded as PNG up to 64 pixels, else as JPEG.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    format_ = "PNG" if max(image.size) <= LOSSLESS_SIDE_PIXELS else "JPEG"
    data = io.BytesIO()
    image.save(data, format_, optimize=True, quality=JPEG_QUALITY)
    text = base64.b64encode(data.getvalue()).decode()
    return Picture(f"data:image/{format_.lower()};base64,{text}", *image.size)


def pictures_by_index(examples: Examples, model: Model, indices: Iterable[int]) -> dict[int, Picture]:
    """Returns images of the test split by their index in it, cropped and resized as the model sees them."""
    wanted = sorted({int(index) for index in indices})
    if not wanted:
        return {}
    singles = shard_spans(examples, "test", examples_per_shard=1)
    slice_ = "+".join(singles[index].slice for index in wanted)
    images = read_resized(examples, slice_, model.image_height, model.image_width).as_numpy_iterator()
    return {index: encode(image) for index, (image, _) in zip(wanted, images, strict=True)}


def mean_pictures(examples: Examples, model: Model, class_counts: Sequence[int]) -> MeanPictures:
    """Returns the mean of the first 2,000 training images, and the mean of each class with at least 10 of them.

    At most 24 classes are shown, the most frequent by `class_counts` of the training split.
    """
    shape = (model.image_height, model.image_width)
    chosen = sorted(np.argsort(-np.asarray(class_counts), kind="stable")[:MEAN_PICTURE_CLASSES].tolist())
    places = {label: place for place, label in enumerate(chosen, start=1)}  # at 0 is the mean of all
    sums, counts = np.zeros((len(chosen) + 1, *shape, 3)), np.zeros(len(chosen) + 1)
    dataset = read_resized(examples, examples.splits["train"], *shape).take(AVERAGED_IMAGES)
    for image, label in dataset.as_numpy_iterator():
        for place in {0, places.get(int(label), 0)}:
            sums[place] += image
            counts[place] += 1
    means = np.round(sums / np.maximum(counts, 1)[:, None, None, None]).astype(np.uint8)
    by_class = {
        examples.class_names[label]: encode(means[place])
        for label, place in places.items()
        if counts[place] >= LEAST_AVERAGED_IMAGES
    }
    return MeanPictures(encode(means[0]), by_class)
