"""Images as data URIs: only those that a page shows are ever encoded."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from components.artifacts import Examples, Model
from components.reading import read_resized, shard_spans

LARGEST_SIDE_PIXELS = 112
LOSSLESS_SIDE_PIXELS = 64  # larger images go as JPEG
JPEG_QUALITY = 82
AVERAGED_IMAGES = 2000


class Picture(NamedTuple):
    """One image for a page."""

    uri: str
    width: int  # pixels
    height: int


def encode(pixels: np.ndarray) -> Picture:
    """Uint8 (height, width, 3), 0-255: PNG while it is small, else a JPEG of at most 112 pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    format_ = "PNG" if max(image.size) <= LOSSLESS_SIDE_PIXELS else "JPEG"
    data = io.BytesIO()
    image.save(data, format_, optimize=True, quality=JPEG_QUALITY)
    text = base64.b64encode(data.getvalue()).decode()
    return Picture(f"data:image/{format_.lower()};base64,{text}", *image.size)


def blessing_pictures(examples: Examples, model: Model, indices: Iterable[int]) -> dict[int, Picture]:
    """Images of the blessing split by their index in it, as the model sees them: cropped and resized."""
    wanted = sorted({int(index) for index in indices})
    if not wanted:
        return {}
    singles = shard_spans(examples, "blessing", examples_per_shard=1)
    slice_ = "+".join(singles[index].slice for index in wanted)
    images = read_resized(examples, slice_, model.image_height, model.image_width).as_numpy_iterator()
    return {index: encode(image) for index, (image, _) in zip(wanted, images, strict=True)}


def mean_pictures(examples: Examples, model: Model) -> dict[str, Picture]:
    """By class, the mean of its images among the first 2,000 that were trained on; classes without any left out."""
    shape = (model.image_height, model.image_width)
    sums = np.zeros((len(examples.class_names), *shape, 3))
    counts = np.zeros(len(examples.class_names))
    dataset = read_resized(examples, examples.splits["train"], *shape).take(AVERAGED_IMAGES)
    for image, label in dataset.as_numpy_iterator():
        if 0 <= label < len(counts):
            sums[label] += image
            counts[label] += 1
    return {
        name: encode(np.round(sums[label] / counts[label]).astype(np.uint8))
        for label, name in enumerate(examples.class_names)
        if counts[label]
    }
