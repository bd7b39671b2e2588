"""Describes a prepared TFDS dataset as Examples, after checking that it holds labeled images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.ingest import IngestConfig
from components.ingest.fingerprint import content_digest
from components.ingest.splits import count_examples, slices_of


def describe(config: IngestConfig, workspace: Workspace, directory: Path) -> Examples:
    """Makes Examples of the dataset in `directory`, which stays where it is.

    Raises ComponentError if the config does not fit the dataset, or if the dataset does not hold labeled images.
    """
    info = _read_info(directory)
    dataset = info.full_name
    image, label = check_features(config, info.features, dataset)
    class_names = _class_names(label, dataset)
    splits = slices_of(config.splits.named() if config.splits else None, info.splits)
    example_counts = count_examples(splits, info.splits, dataset)
    _check_files(info)
    return Examples(
        folder=workspace.folder,
        dataset=dataset,
        content=content_digest(directory, workspace.report, workspace.file_digests),
        directory=None if directory.parent == workspace.folder else directory,
        splits=splits,
        example_counts=example_counts,
        class_names=class_names,
        image_shape=(image.shape[0], image.shape[1], 3),
        image_key=config.image_key,
        label_key=config.label_key,
    ).write()


def _read_info(directory: Path) -> tfds.core.DatasetInfo:
    try:
        info = tfds.builder_from_directory(directory).info
    except Exception as error:  # TFDS passes on whatever its parsers raise
        raise ComponentError(
            f"{directory} is no dataset that TFDS can read: {type(error).__name__}: {error}"
        ) from error
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise ComponentError(
            f"{directory} is stored as {info.file_format.value}; only tfrecord can be read as a stream"
        )
    return info


def _check_files(info: tfds.core.DatasetInfo) -> None:
    missing = [path for split in info.splits.values() for path in split.filepaths if not path.exists()]
    if missing:
        raise ComponentError(
            f"{info.full_name} is not complete: {len(missing)} of its files are missing, first {missing[0]}"
        )


def check_features(
    config: IngestConfig, features: tfds.features.FeatureConnector, dataset: str
) -> tuple[tfds.features.Image, tfds.features.ClassLabel]:
    """Returns the features of the image and the label.

    Raises ComponentError, which says what is wrong with them and which features would do.
    """
    image = _feature("image_key", config.image_key, features, tfds.features.Image, dataset)
    label = _feature("label_key", config.label_key, features, tfds.features.ClassLabel, dataset)
    shape, dtype = image.shape, np.dtype(image.np_dtype)
    if len(shape) != 3 or shape[-1] not in (1, 3, 4) or dtype != np.uint8:
        raise ComponentError(
            f"Images in {dataset} (feature {config.image_key!r}) are {dtype} {shape}; "
            "expected uint8 (height, width, channels) with 1, 3 or 4 channels"
        )
    return image, label


def _feature(
    field: str, key: str, features: tfds.features.FeatureConnector, kind: type, dataset: str
) -> tfds.features.FeatureConnector:
    """Returns the feature called `key`. Raises ComponentError if it is of another kind, or missing."""
    by_name = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    if isinstance(by_name.get(key), kind):
        return by_name[key]
    seen = f"a {type(by_name[key]).__name__}" if key in by_name else "not there"
    fitting = [repr(name) for name, feature in by_name.items() if isinstance(feature, kind)]
    alternatives = " or ".join(fitting) or "the dataset has none"
    raise ComponentError(
        f"ingest.{field} is {key!r}, which is {seen} in {dataset}; "
        f"expected a feature of type {kind.__name__}: {alternatives}"
    )


def _class_names(label: tfds.features.ClassLabel, dataset: str) -> tuple[str, ...]:
    names = tuple(label.names)
    if len(names) < 2 or len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise ComponentError(f"The classes of {dataset} are {names}; expected two or more, each with a name of its own")
    return names
