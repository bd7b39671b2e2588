"""Says how a photo is stored: the features of its example, and the name of the dataset that it is part of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import tensorflow_datasets as tfds

from components.dataset_reader import FILE
from components.ingest.decode import EncodedImage
from components.ingest.photo_tree import printable
from components.ingest.writing import serializer


def photo_features(label: tfds.features.ClassLabel) -> tfds.features.FeaturesDict:
    """Returns the features of a photo: its file's name, the image in any size, and the label."""
    return tfds.features.FeaturesDict(
        {FILE: tfds.features.Text(), "image": tfds.features.Image(shape=(None, None, 3)), "label": label}
    )


def named_features(class_names: Sequence[str]) -> tfds.features.FeaturesDict:
    """Returns the features of a photo, with the names of the classes."""
    return photo_features(tfds.features.ClassLabel(names=list(class_names)))


def photo_serializer(class_count: int) -> Callable[[str, int, EncodedImage], bytes]:
    """Returns a function that makes a record of a file's name, a label and an image. Threads may share it."""
    serialize = serializer(photo_features(tfds.features.ClassLabel(num_classes=class_count)))
    return lambda file, label, image: serialize({FILE: printable(file), "image": image.data, "label": label})


def dataset_name(name: str) -> str:
    """Returns a name that TFDS allows: letters, digits and _, with a letter first."""
    name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return name if name[:1].isalpha() else f"images_{name}".rstrip("_")
