"""Computes what images are sliced by besides the class: properties of the stored image, and features of the dataset."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from numpy.typing import NDArray

from components.artifacts import Examples
from components.component import ComponentError
from components.dataset_reader import FILE, features_of

# The lowest value and the name of each bin. Brightness is the mean luma, 0-1 (ITU-R BT.601); contrast is the
# standard deviation of the luma over the image.
BINS: dict[str, tuple[tuple[float, str], ...]] = {
    "brightness": ((-np.inf, "dark"), (0.4, "medium"), (0.6, "bright")),
    "contrast": ((-np.inf, "low"), (0.15, "medium"), (0.25, "high")),
    "size": (  # of the shorter side, in pixels
        (-np.inf, "under 64"),
        (64, "64 to 127"),
        (128, "128 to 255"),
        (256, "256 to 511"),
        (512, "512 and more"),
    ),
}
FOLDER = "folder"  # slices by folder, taken from the feature FILE
_LUMA = (0.299, 0.587, 0.114)
_LISTED = 20


def applicable(names: Sequence[str], examples: Examples) -> tuple[str, ...]:
    """Returns those of `names` whose values can differ between images of this dataset."""
    return tuple(name for name in names if name != "size" or None in examples.image_shape)


def stored_features(names: Sequence[str], examples: Examples) -> tuple[str, ...]:
    """Returns the dataset's features that these slices need. Raises ComponentError if the dataset lacks one."""
    stored = {name: feature for name, feature in features_of(examples).items() if _has_values(feature)}
    read = {name: FILE if name == FOLDER else name for name in names if name not in BINS}
    for name, feature in read.items():
        if feature not in stored:
            known = ", ".join([*BINS, *([FOLDER] if FILE in stored else []), *sorted(stored)][:_LISTED])
            raise ComponentError(
                f'evaluate.slice_by asks for "{name}", which {examples.dataset} cannot be sliced by: '
                f"it has no such feature with whole numbers or text. Known are {known}."
            )
    return tuple(dict.fromkeys(read.values()))


def measured(image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Measures the properties in `BINS`, float32 () each, of an image uint8 (height, width, 3)."""
    luma = tf.tensordot(tf.cast(image, tf.float32) / 255, tf.constant(_LUMA), axes=1)
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    return {
        "brightness": tf.reduce_mean(luma),
        "contrast": tf.math.reduce_std(luma),
        "size": tf.reduce_min(size),
    }


def slice_values(names: Sequence[str], columns: Mapping[str, NDArray[Any]], examples: Examples) -> dict[str, list[str]]:
    """Returns the slice of each image, by name.

    `columns` are the measured properties and stored features, (n,) each.
    """
    features = features_of(examples)
    return {name: _values(name, columns, features) for name in names}


def _values(name: str, columns: Mapping[str, NDArray[Any]], features: Mapping[str, Any]) -> list[str]:
    if name in BINS:
        starts, labels = zip(*BINS[name], strict=True)
        return [labels[index - 1] for index in np.searchsorted(starts, columns[name], side="right")]
    if name == FOLDER:
        return [posixpath.dirname(_text(file)) or "." for file in columns[FILE]]
    feature = features[name]
    if isinstance(feature, tfds.features.ClassLabel):
        return [feature.int2str(int(value)) if value >= 0 else str(value) for value in columns[name]]
    return [_text(value) for value in columns[name]]


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _has_values(feature: Any) -> bool:
    """Returns whether the feature is one whole number, boolean or text."""
    return feature.shape == () and np.dtype(feature.np_dtype).kind in "iubO"
